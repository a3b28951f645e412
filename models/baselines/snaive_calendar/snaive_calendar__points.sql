with

base as (

    select * from {{ ref('snaive_calendar__base') }}

),

sales_weeks as (

    select * from {{ ref('snaive_calendar__weeks') }}

),

growth as (

    select * from {{ ref('snaive_calendar__growth') }}

),

damping as (

    select * from {{ ref('snaive_calendar__damping') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

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

-- A base is taken where all that it is made of had been sold by the origin.
known_base as (

    select
        forecast_origins.cutoff_date,
        forecast_origins.origin_week_idx,
        forecast_origins.is_backtest,
        base.seasons_back,
        base.item_id,
        base.store_id,
        base.department_id,
        base.week_idx,
        base.week_idx - forecast_origins.origin_week_idx as horizon_weeks,
        {{ lead_band('base.week_idx - forecast_origins.origin_week_idx') }} as lead_band,
        power(0.9e0, base.week_idx - forecast_origins.origin_week_idx) as fading,
        case when forecast_origins.is_backtest then base.sales end as sales,
        base.own_sales,
        base.department_sales,
        base.base_sales,
        base.week_idx - 52 * base.seasons_back > forecast_origins.origin_week_idx - 13 as is_beyond_trend

    from base
    inner join forecast_origins
        on
            base.week_idx > forecast_origins.origin_week_idx
            and base.week_idx <= forecast_origins.last_week_idx
            and base.newest_source_week_idx <= forecast_origins.origin_week_idx
    inner join series
        on
            forecast_origins.cutoff_date = series.cutoff_date
            and base.item_id = series.item_id
    where not forecast_origins.is_backtest or base.sales is not null

),

-- Where the trend around last year's week would reach beyond the origin, the last one that does not stands in.
trended as (

    select
        known_base.*,
        case
            when not known_base.is_beyond_trend then known_base.base_sales
            when newest_trend.department_trend > 0e0 and newest_trend.trend is not null
                then
                    coalesce(
                        0.5e0 * known_base.own_sales
                        + 0.5e0 * greatest(newest_trend.trend, 0e0)
                        * known_base.department_sales / newest_trend.department_trend,
                        known_base.own_sales
                    )
            else known_base.own_sales
        end as trended_sales

    from known_base
    left join sales_weeks as newest_trend
        on
            known_base.is_beyond_trend
            and known_base.item_id = newest_trend.item_id
            and known_base.origin_week_idx - 13 = newest_trend.week_idx

),

multipliers as (

    select
        cutoff_date,
        lead_band,
        max(case when level = 'chain' then multiplier end) as chain_multiplier,
        max(case when level = 'store' then multiplier end) as store_multiplier,
        max(case when level = 'department' then multiplier end) as department_multiplier,
        max(case when level = 'series' then multiplier end) as series_multiplier

    from damping
    group by 1, 2

),

grown as (

    select
        trended.cutoff_date,
        trended.origin_week_idx,
        trended.is_backtest,
        trended.item_id,
        trended.week_idx,
        trended.horizon_weeks,
        trended.lead_band,
        trended.sales,
        trended.seasons_back,
        trended.trended_sales * exp(
            multipliers.chain_multiplier * coalesce({{ expected_growth('chain_growth', 'trended.fading') }}, 0e0)
            + multipliers.store_multiplier * coalesce({{ expected_growth('store_growth', 'trended.fading') }}, 0e0)
            + multipliers.department_multiplier
            * coalesce({{ expected_growth('department_growth', 'trended.fading') }}, 0e0)
            + multipliers.series_multiplier * coalesce({{ expected_growth('series_growth', 'trended.fading') }}, 0e0)
        ) as grown_sales

    from trended
    inner join multipliers
        on
            trended.cutoff_date = multipliers.cutoff_date
            and trended.lead_band = multipliers.lead_band
    left join growth as chain_growth
        on
            trended.origin_week_idx = chain_growth.origin_week_idx
            and trended.seasons_back = chain_growth.seasons_back
            and chain_growth.level = 'chain'
    left join growth as store_growth
        on
            trended.origin_week_idx = store_growth.origin_week_idx
            and trended.seasons_back = store_growth.seasons_back
            and store_growth.level = 'store'
            and trended.store_id = store_growth.level_id
    left join growth as department_growth
        on
            trended.origin_week_idx = department_growth.origin_week_idx
            and trended.seasons_back = department_growth.seasons_back
            and department_growth.level = 'department'
            and trended.department_id = department_growth.level_id
    left join growth as series_growth
        on
            trended.origin_week_idx = series_growth.origin_week_idx
            and trended.seasons_back = series_growth.seasons_back
            and series_growth.level = 'series'
            and trended.item_id = series_growth.level_id

),

seasons as (

    select
        cutoff_date,
        origin_week_idx,
        item_id,
        week_idx,
        is_backtest,
        horizon_weeks,
        lead_band,
        min(sales) as sales,
        max(case when seasons_back = 1 then grown_sales end) as one_season_sales,
        max(case when seasons_back = 2 then grown_sales end) as two_seasons_sales

    from grown
    group by 1, 2, 3, 4, 5, 6, 7

),

-- Two seasons have to be known, and a quarter to tell what they have grown by since.
mixed as (

    select
        cutoff_date,
        origin_week_idx,
        item_id,
        week_idx,
        is_backtest,
        horizon_weeks,
        lead_band,
        sales,
        case
            when origin_week_idx >= 116
                then
                    coalesce(
                        0.65e0 * one_season_sales + 0.35e0 * two_seasons_sales, one_season_sales, two_seasons_sales
                    )
            else coalesce(one_season_sales, two_seasons_sales)
        end as point_forecast

    from seasons

),

-- A series that did not sell a year ago goes along its department's last year, at its level of the last quarter.
department_weeks as (

    select
        department_id,
        week_idx,
        max(department_sales) as department_sales,
        max(newest_source_week_idx) as newest_source_week_idx

    from base
    where seasons_back = 1
    group by 1, 2

),

young_series as (

    select * from series
    where first_week_idx > cutoff_week_idx - 52

),

young_levels as (

    select
        young_series.cutoff_date,
        young_series.item_id,
        {{ safe_divide(
            'sum(' ~ exact('sales_weeks.sales') ~ ')', 'sum(' ~ exact('department_weeks.department_sales') ~ ')'
        ) }} as department_share

    from young_series
    inner join sales_weeks
        on
            young_series.item_id = sales_weeks.item_id
            and young_series.cutoff_week_idx - 13 < sales_weeks.week_idx
            and young_series.cutoff_week_idx >= sales_weeks.week_idx
    inner join department_weeks
        on
            young_series.department_id = department_weeks.department_id
            and sales_weeks.week_idx = department_weeks.week_idx
    where sales_weeks.sales is not null and department_weeks.department_sales > 0e0
    group by 1, 2

),

young as (

    select
        young_series.cutoff_date,
        young_series.cutoff_week_idx as origin_week_idx,
        young_series.item_id,
        department_weeks.week_idx,
        false as is_backtest,
        department_weeks.week_idx - young_series.cutoff_week_idx as horizon_weeks,
        {{ lead_band('department_weeks.week_idx - young_series.cutoff_week_idx') }} as lead_band,
        cast(null as double) as sales,
        young_levels.department_share * department_weeks.department_sales as point_forecast

    from young_series
    inner join young_levels
        on
            young_series.cutoff_date = young_levels.cutoff_date
            and young_series.item_id = young_levels.item_id
    inner join department_weeks
        on
            young_series.department_id = department_weeks.department_id
            and young_series.cutoff_week_idx < department_weeks.week_idx
            and young_series.cutoff_week_idx + young_series.horizon_weeks >= department_weeks.week_idx
            and young_series.cutoff_week_idx >= department_weeks.newest_source_week_idx
    left join mixed
        on
            young_series.cutoff_date = mixed.cutoff_date
            and young_series.cutoff_week_idx = mixed.origin_week_idx
            and young_series.item_id = mixed.item_id
            and department_weeks.week_idx = mixed.week_idx
    where mixed.item_id is null and young_levels.department_share is not null

),

all_points as (

    select * from mixed
    union all
    select * from young

),

final as (

    select
        cutoff_date,
        origin_week_idx,
        item_id,
        week_idx,
        is_backtest,
        horizon_weeks,
        lead_band,
        sales,
        {{ round_significant('point_forecast') }} as point_forecast

    from all_points
    where point_forecast is not null

)

select * from final
