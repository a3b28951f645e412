with

sales_weeks as (

    select * from {{ ref('snaive_calendar__weeks') }}

),

-- Imported for each use: DuckDB keeps in memory what is used twice.
season_ago as (

    select * from {{ ref('snaive_calendar__weeks') }}

),

actuals as (

    select * from {{ ref('snaive_calendar__weeks') }}

),

alignment as (

    select * from {{ ref('snaive_calendar__alignment') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

),

-- Growth looks back thirteen weeks from the first origin.
extent as (

    select
        min(origin_week_idx) - 12 as first_week_idx,
        max(cutoff_week_idx + horizon_weeks) as last_week_idx

    from origins

),

needed_alignment as (

    select alignment.*
    from alignment
    inner join extent on alignment.week_idx between extent.first_week_idx and extent.last_week_idx

),

own as (

    select
        sales_weeks.exposure_key,
        needed_alignment.seasons_back,
        needed_alignment.week_idx,
        sales_weeks.item_id,
        min(sales_weeks.store_id) as store_id,
        min(sales_weeks.department_id) as department_id,
        max(needed_alignment.newest_source_week_idx) as newest_source_week_idx,
        count(sales_weeks.sales) > 0 as is_reported,
        sum({{ exact('needed_alignment.source_share * sales_weeks.sales') }}) as reported_sales,
        {{ safe_divide(
            'sum(' ~ exact('needed_alignment.source_share * sales_weeks.known_sales') ~ ')',
            'sum(case when sales_weeks.known_sales is not null then ' ~ exact('needed_alignment.source_share') ~ ' end)',
        ) }} as own_sales

    from sales_weeks
    inner join needed_alignment on sales_weeks.week_idx = needed_alignment.source_week_idx
    group by 1, 2, 3, 4

),

department_own as (

    select
        exposure_key,
        seasons_back,
        week_idx,
        department_id,
        cast(sum(reported_sales) as double) as department_sales

    from own
    group by 1, 2, 3, 4

),

-- The department's week over its trend, at the trend of the series: the same season, less noisy.
smoothed as (

    select
        own.exposure_key,
        own.seasons_back,
        own.week_idx,
        own.item_id,
        own.store_id,
        own.department_id,
        own.newest_source_week_idx,
        own.is_reported,
        own.own_sales,
        department_own.department_sales,
        case
            when season_ago.department_trend > 0e0 and season_ago.trend is not null
                then
                    greatest(season_ago.trend, 0e0)
                    * department_own.department_sales / season_ago.department_trend
        end as smoothed_sales

    from own
    inner join department_own
        on
            own.exposure_key = department_own.exposure_key
            and own.seasons_back = department_own.seasons_back
            and own.week_idx = department_own.week_idx
            and own.department_id = department_own.department_id
    left join season_ago
        on
            own.exposure_key = season_ago.exposure_key
            and own.item_id = season_ago.item_id
            and own.week_idx - 52 * own.seasons_back = season_ago.week_idx

),

final as (

    select
        smoothed.exposure_key,
        smoothed.seasons_back,
        smoothed.item_id,
        smoothed.week_idx,
        smoothed.store_id,
        smoothed.department_id,
        smoothed.newest_source_week_idx,
        smoothed.is_reported,
        smoothed.own_sales,
        smoothed.department_sales,
        coalesce(
            0.5e0 * smoothed.own_sales + 0.5e0 * smoothed.smoothed_sales,
            smoothed.own_sales,
            smoothed.smoothed_sales
        ) as base_sales,
        actuals.sales

    from smoothed
    left join actuals
        on
            smoothed.exposure_key = actuals.exposure_key
            and smoothed.item_id = actuals.item_id
            and smoothed.week_idx = actuals.week_idx
    where smoothed.own_sales is not null or smoothed.smoothed_sales is not null

)

select * from final
