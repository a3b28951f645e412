with

base as (

    select * from {{ ref('snaive_calendar__base') }}

),

sales_weeks as (

    select * from {{ ref('snaive_calendar__weeks') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

series as (

    select * from {{ ref('exp_series') }}
    where treatment <> 'ended'

),

forecast_origins as (

    select
        *,
        case
            when is_backtest then least(origin_week_idx + least(horizon_weeks, 39), cutoff_week_idx)
            else cutoff_week_idx + horizon_weeks
        end as last_week_idx

    from origins
    where is_for_band or not is_backtest

),

-- Weeks are joined by equality: engines estimate it well, and ranges badly.
forecast_weeks as (

    select
        forecast_origins.cutoff_date,
        forecast_origins.exposure_key,
        forecast_origins.origin_week_idx,
        forecast_origins.is_backtest,
        spine.week_idx,
        spine.week_idx - forecast_origins.origin_week_idx as horizon_weeks,
        {{ lead_band('spine.week_idx - forecast_origins.origin_week_idx') }} as lead_band,
        power(0.9e0, spine.week_idx - forecast_origins.origin_week_idx) as fading

    from forecast_origins
    inner join spine
        on
            forecast_origins.origin_week_idx < spine.week_idx
            and forecast_origins.last_week_idx >= spine.week_idx

),

-- A base is taken where all that it is made of had been sold by the origin.
known_base as (

    select
        forecast_weeks.cutoff_date,
        forecast_weeks.exposure_key,
        forecast_weeks.origin_week_idx,
        forecast_weeks.is_backtest,
        base.seasons_back,
        base.item_id,
        base.store_id,
        base.department_id,
        base.week_idx,
        forecast_weeks.horizon_weeks,
        forecast_weeks.lead_band,
        forecast_weeks.fading,
        case when forecast_weeks.is_backtest then base.sales end as sales,
        base.own_sales,
        base.department_sales,
        base.base_sales,
        base.week_idx - 52 * base.seasons_back > forecast_weeks.origin_week_idx - 13 as is_beyond_trend

    from base
    inner join forecast_weeks
        on
            base.exposure_key = forecast_weeks.exposure_key
            and base.week_idx = forecast_weeks.week_idx
            and base.newest_source_week_idx <= forecast_weeks.origin_week_idx
    inner join series
        on
            forecast_weeks.cutoff_date = series.cutoff_date
            and base.item_id = series.item_id
    where not forecast_weeks.is_backtest or base.sales is not null

),

newest_trends as (

    select
        forecast_origins.cutoff_date,
        forecast_origins.origin_week_idx,
        sales_weeks.item_id,
        sales_weeks.trend,
        sales_weeks.department_trend

    from sales_weeks
    inner join forecast_origins
        on
            sales_weeks.exposure_key = forecast_origins.exposure_key
            and sales_weeks.week_idx = forecast_origins.origin_week_idx - 13
    where forecast_origins.last_week_idx > forecast_origins.origin_week_idx + 39

),

-- Where the trend around last year's week would reach beyond the origin, the last one that does not stands in.
final as (

    select
        known_base.cutoff_date,
        known_base.exposure_key,
        known_base.origin_week_idx,
        known_base.seasons_back,
        known_base.item_id,
        known_base.store_id,
        known_base.department_id,
        known_base.week_idx,
        known_base.is_backtest,
        known_base.horizon_weeks,
        known_base.lead_band,
        known_base.fading,
        known_base.sales,
        case
            when not known_base.is_beyond_trend then known_base.base_sales
            when newest_trends.department_trend > 0e0 and newest_trends.trend is not null
                then
                    coalesce(
                        0.5e0 * known_base.own_sales
                        + 0.5e0 * greatest(newest_trends.trend, 0e0)
                        * known_base.department_sales / newest_trends.department_trend,
                        known_base.own_sales
                    )
            else known_base.own_sales
        end as reference_sales

    from known_base
    left join newest_trends
        on
            known_base.is_beyond_trend
            and known_base.cutoff_date = newest_trends.cutoff_date
            and known_base.origin_week_idx = newest_trends.origin_week_idx
            and known_base.item_id = newest_trends.item_id

)

select * from final
