with

base as (

    select * from {{ ref('snaive_calendar__base') }}
    where seasons_back = 1

),

sales_weeks as (

    select * from {{ ref('snaive_calendar__weeks') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}
    where not is_backtest

),

series as (

    select * from {{ ref('exp_series') }}

),

-- A series that did not sell a year ago goes along its department's last year, at its level of the last quarter.
department_weeks as (

    select
        exposure_key,
        department_id,
        week_idx,
        max(department_sales) as department_sales,
        max(newest_source_week_idx) as newest_source_week_idx

    from base
    group by 1, 2, 3

),

young_series as (

    select
        series.cutoff_date,
        origins.exposure_key,
        series.item_id,
        series.department_id,
        series.cutoff_week_idx,
        series.horizon_weeks

    from series
    inner join origins on series.cutoff_date = origins.cutoff_date
    where series.treatment <> 'ended' and series.first_week_idx > series.cutoff_week_idx - 52

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
            young_series.exposure_key = sales_weeks.exposure_key
            and young_series.item_id = sales_weeks.item_id
            and young_series.cutoff_week_idx - 13 < sales_weeks.week_idx
            and young_series.cutoff_week_idx >= sales_weeks.week_idx
    inner join department_weeks
        on
            young_series.exposure_key = department_weeks.exposure_key
            and young_series.department_id = department_weeks.department_id
            and sales_weeks.week_idx = department_weeks.week_idx
    where sales_weeks.sales is not null and department_weeks.department_sales > 0e0
    group by 1, 2

),

final as (

    select
        young_series.cutoff_date,
        young_series.item_id,
        department_weeks.week_idx,
        department_weeks.week_idx - young_series.cutoff_week_idx as horizon_weeks,
        {{ round_significant('young_levels.department_share * department_weeks.department_sales') }} as point_forecast

    from young_series
    inner join young_levels
        on
            young_series.cutoff_date = young_levels.cutoff_date
            and young_series.item_id = young_levels.item_id
    inner join department_weeks
        on
            young_series.exposure_key = department_weeks.exposure_key
            and young_series.department_id = department_weeks.department_id
            and young_series.cutoff_week_idx < department_weeks.week_idx
            and young_series.cutoff_week_idx + young_series.horizon_weeks >= department_weeks.week_idx
            and young_series.cutoff_week_idx >= department_weeks.newest_source_week_idx
    where
        young_levels.department_share is not null
        and department_weeks.department_sales is not null

)

select * from final
