{#
    Aggregates that the quantiles of a total are made of: how far each quantile of a series lies beyond its mean, how many
    series are not forecast as 0, and the size of them all.

    relation: of the quantile columns and the mean of the series, if one is named.
#}
{% macro total_quantile_sums(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    sum({{ prefix }}p50) as sum_p50,
    count(case when {{ prefix }}mean <> 0e0 or {{ prefix }}p95 <> 0e0 then 1 end) as n_selling,
    sum(abs({{ prefix }}mean)) as sum_size,
    {% for column, quantile in quantile_levels() if column != 'p50' -%}
        {%- set width = prefix ~ 'mean - ' ~ prefix ~ column if quantile < '0.5e0' else prefix ~ column ~ ' - ' ~ prefix ~ 'mean' -%}
        sum({{ prefix }}{{ column }}) as sum_{{ column }},
        sum(case when {{ width }} > 0e0 then {{ width }} else 0e0 end) as sum_width_{{ column }},
        sum(case when {{ width }} > 0e0 then power({{ width }}, 2) else 0e0 end) as sum_square_{{ column }}{{ ',' if not loop.last }}
    {% endfor -%}
{%- endmacro %}

{#
    The quantiles of a total round its mean.

    Series miss together in part: the squared width of a total is that part of the squared sum of their widths, and the
    rest of the sum of their squares. Widths are from the mean: slow sellers have a median of 0, and their total a lower
    half all the same. A total of one series is that series. Where no series is forecast below 0 no total is.

    level: chain, store or department.
    n_items: number of series that are summed.
    learned_share: part of the width that is learned from what the total missed by in earlier runs: offset_p05 and so on,
        in parts of the mean. Null without.
#}
{% macro total_quantile_columns(level, n_items, mean, learned_share) -%}
    {%- for column, quantile in quantile_levels() -%}
        {%- if column == 'p50' -%}
            case when {{ n_items }} = 1 then sum_p50 else {{ mean }} end as p50{{ ',' if not loop.last }}
        {% else -%}
            {%- set width -%}
                {{ '-' if quantile < '0.5e0' }}sqrt(
                            {{ shared_part(level) }} * power(sum_width_{{ column }}, 2)
                            + (1e0 - {{ shared_part(level) }}) * sum_square_{{ column }}
                        )
            {%- endset -%}
            case
                when {{ n_items }} = 1 then sum_{{ column }}
                -- The engines differ in the greatest of a null.
                when {{ mean }} is not null and sum_p05 is not null and sum_{{ column }} is not null
                    then greatest(
                        least(0e0, sum_p05, {{ mean }}),
                        {{ mean }} + coalesce({{ learned_share }} * {{ mean }} * offset_{{ column }}, 0e0)
                        + (1e0 - coalesce({{ learned_share }}, 0e0)) * {{ width }}
                    )
            end as {{ column }}{{ ',' if not loop.last }}
        {% endif -%}
    {%- endfor -%}
{%- endmacro %}

{# What part of their variance the series of a total have in common. #}
{% macro shared_part(level) -%}
    case {{ level }} when 'store' then 1e-1 when 'department' then 2e-1 else 8e-2 end
{%- endmacro %}

{#
    What a total's band has of the total's own past, by the columns of stg_forecasts__total_bands.

    Where one series is left of it, or returns take most of it, the total is not what it was: its width is that of its
    series.

    bands: the relation.
    totals: the relation of the totals, with mean and the sums of total_quantile_sums.
    condition: further one for it to count.
#}
{% macro learned_columns(bands, totals, condition='true') -%}
    case
        when
            {{ totals }}.n_selling > 1
            and 2e0 * {{ totals }}.mean > {{ totals }}.sum_size
            and {{ condition }}
            then {{ bands }}.learned_share
    end as learned_share,
    {% for column, _ in quantile_levels() if column != 'p50' -%}
        {{ bands }}.offset_{{ column }}{{ ',' if not loop.last }}
    {% endfor -%}
{%- endmacro %}
