with

sales_weeks as (

    select * from {{ ref('snaive_calendar__weeks') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

),

origin_weeks as (

    select distinct
        exposure_key,
        origin_week_idx

    from origins

),

series_levels as (

    select
        origin_weeks.exposure_key,
        origin_weeks.origin_week_idx,
        sales_weeks.item_id,
        sales_weeks.recent_level

    from sales_weeks
    inner join origin_weeks
        on
            sales_weeks.exposure_key = origin_weeks.exposure_key
            and sales_weeks.week_idx = origin_weeks.origin_week_idx
    where sales_weeks.recent_level is not null

),

typical_levels as (

    select
        exposure_key,
        origin_week_idx,
        {{ safe_divide('sum(' ~ exact('recent_level') ~ ')', 'count(*)') }} as typical_level

    from series_levels
    group by 1, 2

),

-- An error is told in what was forecast, but in no less than a part of what the series, and the chain, sells.
final as (

    select
        typical_levels.exposure_key,
        typical_levels.origin_week_idx,
        series_levels.item_id,
        0.1e0 * series_levels.recent_level + 0.01e0 * typical_levels.typical_level as error_floor

    from series_levels
    inner join typical_levels
        on
            series_levels.exposure_key = typical_levels.exposure_key
            and series_levels.origin_week_idx = typical_levels.origin_week_idx

)

select * from final
