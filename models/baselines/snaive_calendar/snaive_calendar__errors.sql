with

points as (

    select * from {{ ref('snaive_calendar__points') }}

),

floors as (

    select * from {{ ref('snaive_calendar__floors') }}

),

final as (

    select
        points.cutoff_date,
        points.origin_week_idx,
        points.item_id,
        points.week_idx,
        points.horizon_weeks,
        points.lead_band,
        greatest(-1.5e0, least(
            3e0,
            (points.sales - points.point_forecast) / greatest(points.point_forecast, floors.error_floor)
        )) as relative_error

    from points
    inner join floors
        on
            points.exposure_key = floors.exposure_key
            and points.origin_week_idx = floors.origin_week_idx
            and points.item_id = floors.item_id
    where points.is_backtest and floors.error_floor > 0e0

)

select * from final
