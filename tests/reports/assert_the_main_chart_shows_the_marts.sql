-- The main chart shows what sold and what was forecast as the marts have it, and its totals are the sums of its series.
with

latest as (

    select * from {{ ref('rpt_forecast_latest') }}

),

shown_run as (

    select
        max(run_id) as run_id,
        max(cutoff_date) as cutoff_date

    from latest

),

expected as (

    select
        weekly_sales.item_id,
        weekly_sales.week_end_date,
        1 as n_expected,
        0 as n_found,
        weekly_sales.sales as expected,
        cast(null as double) as found_value

    from {{ ref('fct_weekly_sales') }} as weekly_sales
    cross join shown_run
    where
        weekly_sales.week_end_date <= shown_run.cutoff_date
        and weekly_sales.week_end_date > {{ add_weeks('shown_run.cutoff_date', '-' ~ var('chart_history_weeks')) }}
    union all
    select
        forecasts.item_id,
        forecasts.week_end_date,
        1 as n_expected,
        0 as n_found,
        forecasts.mean as expected,
        cast(null as double) as found_value

    from {{ ref('fct_forecast') }} as forecasts
    inner join shown_run on forecasts.run_id = shown_run.run_id

),

side_by_side as (

    select * from expected
    union all
    select
        item_id,
        week_end_date,
        0 as n_expected,
        1 as n_found,
        cast(null as double) as expected,
        case when is_forecast then mean else actual end as found_value

    from latest
    where level = 'store-department'

),

-- Sales beside a forecast are those of the marts too.
actual_faults as (

    select
        latest.item_id,
        latest.week_end_date,
        weekly_sales.sales as expected,
        latest.actual as found_value

    from latest
    left join {{ ref('fct_weekly_sales') }} as weekly_sales
        on
            latest.item_id = weekly_sales.item_id
            and latest.week_end_date = weekly_sales.week_end_date
    where
        latest.level = 'store-department'
        and latest.is_forecast
        and latest.actual is distinct from weekly_sales.sales

),

rows_of_series as (

    select
        item_id,
        week_end_date,
        sum(n_expected) as n_expected,
        sum(n_found) as n_found,
        sum(expected) as expected,
        sum(found_value) as found_value

    from side_by_side
    group by 1, 2

),

-- A total that is not shown is no wrong one.
totals as (

    select
        level,
        week_end_date,
        count(*) - count(case when is_forecast then mean else actual end) as n_not_shown,
        sum(case when is_forecast then mean else actual end) as total,
        sum(abs(case when is_forecast then mean else actual end)) as abs_total

    from latest
    group by 1, 2

),

levels as (

    {{ aggregate_levels() }}

),

faults as (

    select
        'store-department' as level,
        item_id,
        week_end_date,
        expected,
        found_value

    from rows_of_series
    where
        n_expected <> 1
        or n_found <> 1
        or expected is distinct from found_value
    union all
    select
        'store-department' as level,
        item_id,
        week_end_date,
        expected,
        found_value

    from actual_faults
    union all
    select
        levels.level,
        cast(null as varchar) as item_id,
        series.week_end_date,
        series.total as expected,
        totals.total as found_value

    from totals as series
    cross join levels
    left join totals
        on
            series.week_end_date = totals.week_end_date
            and levels.level = totals.level
    where
        series.level = 'store-department'
        and (
            totals.level is null
            or (totals.n_not_shown = 0 and abs(totals.total - series.total) > 1e-4 + 1e-9 * series.abs_total)
        )

)

select * from faults
