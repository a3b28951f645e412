{%- set levels = [('chain', 24), ('store', 12), ('department', 12), ('series', 6)] -%}

with

base as (

    select * from {{ ref('snaive_calendar__base') }}
    where seasons_back = 1

),

growth as (

    select * from {{ ref('snaive_calendar__growth') }}
    where seasons_back = 1

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

),

-- What followed each origin by the cutoff. Up to 39 weeks ahead the base is the same at every later origin.
series_sums as (

    select
        origins.cutoff_date,
        origins.origin_week_idx,
        {{ lead_band('base.week_idx - origins.origin_week_idx') }} as lead_band,
        base.item_id,
        min(base.store_id) as store_id,
        min(base.department_id) as department_id,
        sum({{ exact('base.sales') }}) as sales,
        sum({{ exact('base.base_sales') }}) as base_sales

    from base
    inner join origins
        on
            base.week_idx > origins.origin_week_idx
            and base.week_idx <= origins.cutoff_week_idx
            and base.week_idx <= origins.origin_week_idx + 39
    where
        origins.is_backtest
        and base.sales is not null
        and base.is_reported
    group by 1, 2, 3, 4

),

followed_weeks as (

    select distinct
        origins.cutoff_date,
        origins.origin_week_idx,
        {{ lead_band('base.week_idx - origins.origin_week_idx') }} as lead_band,
        base.week_idx - origins.origin_week_idx as horizon_weeks

    from (select distinct week_idx from base) as base
    inner join origins
        on
            base.week_idx > origins.origin_week_idx
            and base.week_idx <= origins.cutoff_week_idx
            and base.week_idx <= origins.origin_week_idx + 39
    where origins.is_backtest

),

-- Origins four weeks apart share most of a longer band: together they are not so much evidence.
followed_bands as (

    select
        cutoff_date,
        origin_week_idx,
        lead_band,
        {{ safe_divide('sum(' ~ exact('power(0.9e0, horizon_weeks)') ~ ')', 'count(*)') }} as fading,
        least(1e0, 4e0 / cast(count(*) as double)) as origin_weight

    from followed_weeks
    group by 1, 2, 3

),

ratios as (

    select
        cutoff_date,
        origin_week_idx,
        lead_band,
        item_id,
        store_id,
        department_id,
        cast(base_sales as double) as base_sales,
        {% for name, keys in [
            ('chain', ''), ('store', ', store_id'), ('department', ', department_id'), ('series', ', item_id')
        ] -%}
            {%- set over = ' over (partition by cutoff_date, origin_week_idx, lead_band' ~ keys ~ ')' -%}
            case
                when sum(base_sales){{ over }} > 0
                    then cast(sum(sales){{ over }} as double) / cast(sum(base_sales){{ over }} as double)
            end as {{ name }}_ratio
            {{- ',\n        ' if not loop.last }}
        {%- endfor %}

    from series_sums

),

chain_parts as (

    select
        *,
        {{ log_ratio('chain_ratio', '0.2e0', '4e0') }} as chain_part

    from ratios
    where base_sales > 0e0

),

group_parts as (

    select
        *,
        {{ log_ratio('store_ratio / exp(chain_part)', '0.5e0', '2e0') }} as store_part,
        0.5e0 * {{ log_ratio('department_ratio / exp(chain_part)', '0.4e0', '2.5e0') }} as department_part

    from chain_parts

),

series_parts as (

    select
        *,
        {{ log_ratio('series_ratio', '0.2e0', '4e0') }} - chain_part - store_part - department_part as series_part

    from group_parts

),

-- The same parts as of the growth, as they came.
realised as (

    {% for level, level_id in [
        ('chain', "''"), ('store', 'store_id'), ('department', 'department_id'), ('series', 'item_id')
    ] -%}
    select
        cutoff_date,
        origin_week_idx,
        lead_band,
        '{{ level }}' as level,
        {{ level_id }} as level_id,
        max({{ level }}_part) as realised_growth,
        sum({{ exact('base_sales') }}) as base_sales

    from series_parts
    group by 1, 2, 3, 4, 5
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

compared as (

    select
        realised.cutoff_date,
        realised.origin_week_idx,
        realised.lead_band,
        realised.level,
        realised.realised_growth,
        followed_bands.origin_weight,
        cast(realised.base_sales as double) as base_sales,
        {{ expected_growth('growth.short_growth', 'growth.long_growth', 'followed_bands.fading') }} as expected_growth

    from realised
    inner join growth
        on
            realised.origin_week_idx = growth.origin_week_idx
            and realised.level = growth.level
            and realised.level_id = growth.level_id
    inner join followed_bands
        on
            realised.cutoff_date = followed_bands.cutoff_date
            and realised.origin_week_idx = followed_bands.origin_week_idx
            and realised.lead_band = followed_bands.lead_band

),

origin_evidence as (

    select
        cutoff_date,
        origin_week_idx,
        lead_band,
        level,
        min(origin_weight) as origin_weight,
        {{ safe_divide(
            'sum(' ~ exact('base_sales * expected_growth * realised_growth') ~ ')', 'sum(' ~ exact('base_sales') ~ ')'
        ) }} as mean_product,
        {{ safe_divide(
            'sum(' ~ exact('base_sales * expected_growth * expected_growth') ~ ')', 'sum(' ~ exact('base_sales') ~ ')'
        ) }} as mean_square

    from compared
    group by 1, 2, 3, 4

),

evidence as (

    select
        cutoff_date,
        level,
        lead_band,
        cast(sum({{ exact('origin_weight * mean_product') }}) as double) as sum_product,
        cast(sum({{ exact('origin_weight * mean_square') }}) as double) as sum_square,
        {{ safe_divide('sum(' ~ exact('mean_square') ~ ')', 'count(*)') }} as mean_square

    from origin_evidence
    group by 1, 2, 3

),

levels as (

    select
        level,
        prior_weight

    from (
        values
        {% for level, prior_weight in levels -%}
            ('{{ level }}', {{ prior_weight }}e0){{ ',' if not loop.last }}
        {% endfor -%}
    ) as prior_weights (level, prior_weight)

),

cutoffs as (

    select distinct cutoff_date from origins

),

damped_0 as (

    select
        cutoffs.cutoff_date,
        levels.level,
        levels.prior_weight,
        1e0 as multiplier

    from cutoffs
    cross join levels

),

-- How much of the expected growth came, by least squares, pulled towards what the shorter leads say.
{% for _ in lead_bands() -%}
damped_{{ loop.index }} as (

    select
        shorter.cutoff_date,
        shorter.level,
        shorter.prior_weight,
        case
            when evidence.mean_square > 0e0
                then
                    greatest(0e0, least(
                        1.6e0,
                        (evidence.sum_product + shorter.prior_weight * evidence.mean_square * shorter.multiplier)
                        / (evidence.sum_square + shorter.prior_weight * evidence.mean_square)
                    ))
            else shorter.multiplier
        end as multiplier

    from damped_{{ loop.index0 }} as shorter
    left join evidence
        on
            shorter.cutoff_date = evidence.cutoff_date
            and shorter.level = evidence.level
            and evidence.lead_band = {{ loop.index }}

),

{% endfor -%}

final as (

    {% for _ in lead_bands() -%}
    select
        cutoff_date,
        level,
        {{ loop.index }} as lead_band,
        round(multiplier, 9) as multiplier

    from damped_{{ loop.index }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from final
