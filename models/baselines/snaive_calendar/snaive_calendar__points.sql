with

reference_weeks as (

    select * from {{ ref('snaive_calendar__references') }}

),

growth as (

    select * from {{ ref('snaive_calendar__growth') }}

),

damping as (

    select * from {{ ref('snaive_calendar__damping') }}

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
        reference_weeks.cutoff_date,
        reference_weeks.exposure_key,
        reference_weeks.origin_week_idx,
        reference_weeks.is_backtest,
        reference_weeks.item_id,
        reference_weeks.week_idx,
        reference_weeks.horizon_weeks,
        reference_weeks.lead_band,
        reference_weeks.sales,
        reference_weeks.seasons_back,
        reference_weeks.reference_sales * exp(
            multipliers.chain_multiplier
            * coalesce({{ expected_growth('chain_growth', 'reference_weeks.fading') }}, 0e0)
            + multipliers.store_multiplier
            * coalesce({{ expected_growth('store_growth', 'reference_weeks.fading') }}, 0e0)
            + multipliers.department_multiplier
            * coalesce({{ expected_growth('department_growth', 'reference_weeks.fading') }}, 0e0)
            + multipliers.series_multiplier
            * coalesce({{ expected_growth('series_growth', 'reference_weeks.fading') }}, 0e0)
        ) as grown_sales

    from reference_weeks
    inner join multipliers
        on
            reference_weeks.cutoff_date = multipliers.cutoff_date
            and reference_weeks.lead_band = multipliers.lead_band
    left join growth as chain_growth
        on
            reference_weeks.exposure_key = chain_growth.exposure_key
            and reference_weeks.origin_week_idx = chain_growth.origin_week_idx
            and reference_weeks.seasons_back = chain_growth.seasons_back
            and chain_growth.level = 'chain'
    left join growth as store_growth
        on
            reference_weeks.exposure_key = store_growth.exposure_key
            and reference_weeks.origin_week_idx = store_growth.origin_week_idx
            and reference_weeks.seasons_back = store_growth.seasons_back
            and store_growth.level = 'store'
            and reference_weeks.store_id = store_growth.level_id
    left join growth as department_growth
        on
            reference_weeks.exposure_key = department_growth.exposure_key
            and reference_weeks.origin_week_idx = department_growth.origin_week_idx
            and reference_weeks.seasons_back = department_growth.seasons_back
            and department_growth.level = 'department'
            and reference_weeks.department_id = department_growth.level_id
    left join growth as series_growth
        on
            reference_weeks.exposure_key = series_growth.exposure_key
            and reference_weeks.origin_week_idx = series_growth.origin_week_idx
            and reference_weeks.seasons_back = series_growth.seasons_back
            and series_growth.level = 'series'
            and reference_weeks.item_id = series_growth.level_id

),

seasons as (

    select
        cutoff_date,
        exposure_key,
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
    group by 1, 2, 3, 4, 5, 6, 7, 8

),

-- Two seasons have to be known, and a quarter to tell what they have grown by since.
mixed as (

    select
        cutoff_date,
        exposure_key,
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

final as (

    select
        cutoff_date,
        exposure_key,
        origin_week_idx,
        item_id,
        week_idx,
        is_backtest,
        horizon_weeks,
        lead_band,
        sales,
        {{ round_significant('point_forecast') }} as point_forecast

    from mixed
    where point_forecast is not null

)

select * from final
