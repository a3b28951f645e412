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

spine as (

    select * from {{ ref('int_week__spine') }}

),

-- What followed each origin by the cutoff. Up to 39 weeks ahead the base is the same at every later origin.
followed_weeks as (

    select
        origins.cutoff_date,
        origins.exposure_key,
        origins.origin_week_idx,
        spine.week_idx,
        {{ lead_band('spine.week_idx - origins.origin_week_idx') }} as lead_band,
        power(0.9e0, spine.week_idx - origins.origin_week_idx) as fading

    from origins
    inner join spine
        on
            origins.origin_week_idx < spine.week_idx
            and origins.cutoff_week_idx >= spine.week_idx
            and origins.origin_week_idx + 39 >= spine.week_idx
    where origins.is_backtest

),

-- Origins four weeks apart share most of a longer band: together they are not so much evidence.
followed_bands as (

    select
        cutoff_date,
        exposure_key,
        origin_week_idx,
        lead_band,
        {{ safe_divide('sum(' ~ exact('fading') ~ ')', 'count(*)') }} as fading,
        least(1e0, 4e0 / cast(count(*) as double)) as origin_weight

    from followed_weeks
    group by 1, 2, 3, 4

),

series_sums as (

    select
        followed_weeks.cutoff_date,
        followed_weeks.origin_week_idx,
        followed_weeks.lead_band,
        base.item_id,
        min(base.store_id) as store_id,
        min(base.department_id) as department_id,
        sum({{ exact('base.sales') }}) as sales,
        sum({{ exact('base.base_sales') }}) as base_sales

    from base
    inner join followed_weeks
        on
            base.exposure_key = followed_weeks.exposure_key
            and base.week_idx = followed_weeks.week_idx
    where base.sales is not null and base.is_reported
    group by 1, 2, 3, 4

),

{{ growth_parts(keys=['cutoff_date', 'origin_week_idx', 'lead_band']) }},

-- The same parts as of the growth, as they came.
realised as (

    {% for level, level_id in growth_levels() -%}
        select
            cutoff_date,
            origin_week_idx,
            lead_band,
            '{{ level }}' as level,
            {{ level_id }} as level_id,
            max({{ level }}_part) as realised_growth,
            cast(sum(base_sales) as double) as base_sales

        from growth_parts
        where base_sales > 0
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
        realised.base_sales,
        {{ expected_growth('growth', 'followed_bands.fading') }} as expected_growth

    from realised
    inner join followed_bands
        on
            realised.cutoff_date = followed_bands.cutoff_date
            and realised.origin_week_idx = followed_bands.origin_week_idx
            and realised.lead_band = followed_bands.lead_band
    inner join growth
        on
            followed_bands.exposure_key = growth.exposure_key
            and realised.origin_week_idx = growth.origin_week_idx
            and realised.level = growth.level
            and realised.level_id = growth.level_id
    where growth.short_growth is not null and growth.long_growth is not null

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

final as (

    select
        cutoff_date,
        level,
        lead_band,
        round(cast(sum({{ exact('origin_weight * mean_product') }}) as double), 12) as sum_product,
        round(cast(sum({{ exact('origin_weight * mean_square') }}) as double), 12) as sum_square,
        round({{ safe_divide('sum(' ~ exact('mean_square') ~ ')', 'count(*)') }}, 12) as mean_square

    from origin_evidence
    group by 1, 2, 3

)

select * from final
