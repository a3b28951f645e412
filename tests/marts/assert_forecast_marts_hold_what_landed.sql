-- For each run: the landed rows are in fct_forecast, those of weeks that have passed in fct_forecast_vs_actual with
-- what sold, no others, and each level of the aggregates adds up to them. Of older runs the newest week is looked at.
{% set checked = ref('stg_forecasts__checked_runs') -%}
{% set is_checked = is_checked_run(checked) -%}
{% set newest_week = newest_complete_week(ref('dim_week')) -%}
with

checked_runs as (

    select * from {{ checked }}

),

landed as (

    select
        run_id,
        count(*) as n_rows,
        sum(date_diff('day', date '1970-01-01', week_end_date)) as day_sum,
        sum(mean) as mean,
        sum(p10) as p10,
        sum(p50) as p50,
        sum(p90) as p90

    from {{ ref('stg_forecasts__forecasts') }}
    where {{ is_checked }}
    group by 1

),

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

passed_weeks as (

    select week_end_date from {{ ref('dim_week') }}
    where is_complete

),

-- Two scans, since an engine leaves out files by either condition, not by one or the other.
looked_at as (

    select * from {{ ref('fct_forecast') }}
    where {{ is_checked }}
    union all
    select * from {{ ref('fct_forecast') }}
    where week_end_date = {{ newest_week }} and not ({{ is_checked }})

),

forecasts as (

    select
        forecasts.run_id,
        forecasts.week_end_date,
        forecasts.mean,
        forecasts.p10,
        forecasts.p50,
        forecasts.p90,
        checked_runs.run_id is not null as is_checked,
        passed_weeks.week_end_date is not null as is_passed,
        forecasts.store_id is not null as is_known,
        case when passed_weeks.week_end_date is not null then weekly_sales.sales end as actual

    from looked_at as forecasts
    left join checked_runs on forecasts.run_id = checked_runs.run_id
    left join passed_weeks on forecasts.week_end_date = passed_weeks.week_end_date
    left join weekly_sales
        on
            forecasts.item_id = weekly_sales.item_id
            and forecasts.week_end_date = weekly_sales.week_end_date

),

fact as (

    select
        run_id,
        is_checked,
        count(*) as n_rows,
        sum(date_diff('day', date '1970-01-01', week_end_date)) as day_sum,
        sum(mean) as mean,
        sum(p10) as p10,
        sum(p50) as p50,
        sum(p90) as p90,
        count_if(is_passed) as n_passed,
        count(actual) as n_actuals,
        coalesce(sum(case when is_passed then date_diff('day', date '1970-01-01', week_end_date) end), 0)
            as days_passed,
        coalesce(sum(actual), 0e0) as actual,
        coalesce(sum(abs(actual)), 0e0) as abs_actual,
        coalesce(sum(case when is_passed then mean end), 0e0) as mean_passed,
        count_if(is_known) as n_known,
        coalesce(sum(case when is_known then mean end), 0e0) as mean_known,
        count_if(is_known and actual is not null) as n_known_actuals,
        coalesce(sum(case when is_known then actual end), 0e0) as actual_known,
        count_if(is_known and is_passed) as n_known_passed,
        coalesce(sum(case when is_known and is_passed and actual is null then p50 end), 0e0) as p50_without_actual

    from forecasts
    group by 1, 2

),

checked_fact as (

    select * from fact
    where is_checked

),

all_compared as (

    select * from {{ ref('fct_forecast_vs_actual') }}
    where {{ is_checked }}
    union all
    select * from {{ ref('fct_forecast_vs_actual') }}
    where week_end_date >= {{ newest_week }} and not ({{ is_checked }})

),

compared as (

    select
        run_id,
        count(*) as n_rows,
        count(actual) as n_actuals,
        sum(date_diff('day', date '1970-01-01', week_end_date)) as day_sum,
        sum(actual) as actual,
        sum(mean) as mean

    from all_compared
    group by 1

),

levels as (

    {{ aggregate_levels() }}

),

aggregates as (

    select
        run_id,
        level,
        sum(n_items) as n_items,
        sum(mean) as mean

    from {{ ref('fct_forecast_aggregate') }}
    where {{ is_checked }}
    group by 1, 2

),

all_compared_aggregates as (

    select * from {{ ref('fct_forecast_vs_actual_aggregate') }}
    where {{ is_checked }}
    union all
    select * from {{ ref('fct_forecast_vs_actual_aggregate') }}
    where week_end_date >= {{ newest_week }} and not ({{ is_checked }})

),

compared_aggregates as (

    select
        run_id,
        level,
        sum(n_items) as n_items,
        sum(n_items_forecast) as n_items_forecast,
        coalesce(sum(actual), 0e0) as actual,
        sum(p50_without_actual) as p50_without_actual

    from all_compared_aggregates
    group by 1, 2

),

faults as (

    select
        'fct_forecast' as mart,
        coalesce(landed.run_id, fact.run_id) as run_id,
        cast(null as varchar) as level,
        landed.n_rows as n_expected,
        fact.n_rows as n_found,
        landed.mean as expected,
        fact.mean as found_value

    from landed
    full outer join checked_fact as fact on landed.run_id = fact.run_id
    where
        landed.n_rows is distinct from fact.n_rows
        or landed.day_sum is distinct from fact.day_sum
        or abs(landed.mean - fact.mean) > 1e-4 + 1e-9 * abs(landed.mean)
        or abs(landed.p10 - fact.p10) > 1e-4 + 1e-9 * abs(landed.p10)
        or abs(landed.p50 - fact.p50) > 1e-4 + 1e-9 * abs(landed.p50)
        or abs(landed.p90 - fact.p90) > 1e-4 + 1e-9 * abs(landed.p90)
    union all
    select
        'fct_forecast_vs_actual' as mart,
        coalesce(fact.run_id, compared.run_id) as run_id,
        cast(null as varchar) as level,
        fact.n_passed as n_expected,
        compared.n_rows as n_found,
        fact.actual as expected,
        compared.actual as found_value

    from fact
    full outer join compared on fact.run_id = compared.run_id
    where
        coalesce(fact.n_passed, 0) <> coalesce(compared.n_rows, 0)
        or coalesce(fact.n_actuals, 0) <> coalesce(compared.n_actuals, 0)
        or coalesce(fact.days_passed, 0) <> coalesce(compared.day_sum, 0)
        or abs(fact.actual - coalesce(compared.actual, 0e0)) > 1e-4 + 1e-9 * fact.abs_actual
        or abs(fact.mean_passed - coalesce(compared.mean, 0e0)) > 1e-4 + 1e-9 * abs(fact.mean_passed)
    union all
    select
        'fct_forecast_aggregate' as mart,
        fact.run_id,
        levels.level,
        fact.n_known as n_expected,
        aggregates.n_items as n_found,
        fact.mean_known as expected,
        aggregates.mean as found_value

    from fact
    cross join levels
    left join aggregates
        on
            fact.run_id = aggregates.run_id
            and levels.level = aggregates.level
    where
        fact.is_checked
        and (
            fact.n_known <> coalesce(aggregates.n_items, 0)
            or abs(fact.mean_known - coalesce(aggregates.mean, 0e0)) > 1e-4 + 1e-9 * abs(fact.mean_known)
        )
    union all
    select
        'fct_forecast_vs_actual_aggregate' as mart,
        fact.run_id,
        levels.level,
        fact.n_known_actuals as n_expected,
        compared_aggregates.n_items as n_found,
        fact.actual_known as expected,
        compared_aggregates.actual as found_value

    from fact
    cross join levels
    left join compared_aggregates
        on
            fact.run_id = compared_aggregates.run_id
            and levels.level = compared_aggregates.level
    where
        fact.n_known_actuals <> coalesce(compared_aggregates.n_items, 0)
        or fact.n_known_passed <> coalesce(compared_aggregates.n_items_forecast, 0)
        or abs(fact.p50_without_actual - coalesce(compared_aggregates.p50_without_actual, 0e0))
        > 1e-4 + 1e-9 * abs(fact.p50_without_actual)
        or abs(fact.actual_known - coalesce(compared_aggregates.actual, 0e0)) > 1e-4 + 1e-9 * fact.abs_actual

)

select * from faults
