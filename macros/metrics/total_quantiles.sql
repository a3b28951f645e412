{#
    Aggregates that the quantiles of a total are made of: how far each quantile of a series lies beyond its mean.

    relation: of the quantile columns and the mean of the series, if one is named.
#}
{% macro total_quantile_sums(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    sum({{ prefix }}p50) as sum_p50,
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
#}
{% macro total_quantile_columns(level, n_items, mean) -%}
    {%- for column, quantile in quantile_levels() -%}
        {%- if column == 'p50' -%}
            case when {{ n_items }} = 1 then sum_p50 else {{ mean }} end as p50{{ ',' if not loop.last }}
        {% else -%}
            case
                when {{ n_items }} = 1 then sum_{{ column }}
                -- The engines differ in the greatest of a null.
                when {{ mean }} is not null and sum_p05 is not null and sum_{{ column }} is not null
                    then greatest(
                        least(0e0, sum_p05),
                        {{ mean }} {{ '-' if quantile < '0.5e0' else '+' }} sqrt(
                            {{ shared_part(level) }} * power(sum_width_{{ column }}, 2)
                            + (1e0 - {{ shared_part(level) }}) * sum_square_{{ column }}
                        )
                    )
            end as {{ column }}{{ ',' if not loop.last }}
        {% endif -%}
    {%- endfor -%}
{%- endmacro %}

{# What part of their variance the series of a total have in common. #}
{% macro shared_part(level) -%}
    case {{ level }} when 'store' then 1e-1 when 'department' then 2e-1 else 8e-2 end
{%- endmacro %}
