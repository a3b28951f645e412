{% set shown = ref('rpt_shown_run') -%}
{% set charted_runs -%}
    select shown.run_id from {{ shown }} as shown
    union distinct
    select shown.naive_run_id from {{ shown }} as shown
    where shown.naive_run_id is not null
{%- endset -%}
{% set is_charted = is_of_runs(charted_runs, [shown]) -%}
{% set is_shown = is_of_runs('select shown.run_id from ' ~ shown ~ ' as shown', [shown]) -%}
with

shown_run as (

    select * from {{ shown }}

),

all_forecasts as (

    select * from {{ ref('fct_forecast') }}
    where {{ is_charted }}

),

all_forecast_aggregates as (

    select * from {{ ref('fct_forecast_aggregate') }}
    where {{ is_charted }}

),

compared_aggregates as (

    select * from {{ ref('fct_forecast_vs_actual_aggregate') }}
    where {{ is_shown }}

),

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

sales_aggregates as (

    select * from {{ ref('fct_weekly_sales_aggregate') }}

),

all_sales as (

    select
        'store-department' as level,
        weekly_sales.item_id,
        weekly_sales.store_id,
        weekly_sales.department_id,
        weekly_sales.week_end_date,
        weekly_sales.sales,
        weekly_sales.is_part_week

    from weekly_sales
    union all
    select
        level,
        item_id,
        store_id,
        department_id,
        week_end_date,
        sales,
        is_part_week

    from sales_aggregates

),

actuals as (

    select
        all_sales.level,
        all_sales.item_id,
        all_sales.store_id,
        all_sales.department_id,
        all_sales.week_end_date,
        all_sales.sales as actual,
        all_sales.is_part_week

    from all_sales
    cross join shown_run
    where
        all_sales.week_end_date
        > {{ add_weeks('shown_run.cutoff_date', '-' ~ var('chart_history_weeks')) }}

),

forecasts as (

    select
        'store-department' as level,
        run_id,
        item_id,
        store_id,
        department_id,
        week_end_date,
        horizon_weeks,
        mean,
        p10,
        p50,
        p90

    from all_forecasts
    union all
    select
        level,
        run_id,
        item_id,
        store_id,
        department_id,
        week_end_date,
        horizon_weeks,
        mean,
        p10,
        p50,
        p90

    from all_forecast_aggregates

),

-- A total is shown beside a forecast of the same series; what one of them has alone stands beside.
forecast_rows as (

    select
        forecasts.level,
        forecasts.item_id,
        forecasts.week_end_date,
        forecasts.store_id,
        forecasts.department_id,
        case
            when compared_aggregates.run_id is null or actuals.actual is null then actuals.actual
            else compared_aggregates.actual
        end as actual,
        forecasts.mean,
        forecasts.p10,
        forecasts.p50,
        forecasts.p90,
        naive.p50 as naive_p50,
        shown_run.run_id,
        shown_run.model_id,
        shown_run.cutoff_date,
        forecasts.horizon_weeks,
        true as is_forecast,
        coalesce(actuals.is_part_week, false) as is_part_week,
        compared_aggregates.p50_without_actual,
        compared_aggregates.actual_without_forecast

    from forecasts
    inner join shown_run on forecasts.run_id = shown_run.run_id
    left join forecasts as naive
        on
            shown_run.naive_run_id = naive.run_id
            and forecasts.level = naive.level
            and forecasts.item_id = naive.item_id
            and forecasts.week_end_date = naive.week_end_date
    left join actuals
        on
            forecasts.level = actuals.level
            and forecasts.item_id = actuals.item_id
            and forecasts.week_end_date = actuals.week_end_date
    left join compared_aggregates
        on
            forecasts.level = compared_aggregates.level
            and forecasts.item_id = compared_aggregates.item_id
            and forecasts.week_end_date = compared_aggregates.week_end_date

),

history_rows as (

    select
        actuals.level,
        actuals.item_id,
        actuals.week_end_date,
        actuals.store_id,
        actuals.department_id,
        actuals.actual,
        cast(null as double) as mean,
        cast(null as double) as p10,
        cast(null as double) as p50,
        cast(null as double) as p90,
        cast(null as double) as naive_p50,
        shown_run.run_id,
        shown_run.model_id,
        shown_run.cutoff_date,
        cast(null as integer) as horizon_weeks,
        false as is_forecast,
        actuals.is_part_week,
        cast(null as double) as p50_without_actual,
        cast(null as double) as actual_without_forecast

    from actuals
    inner join shown_run on actuals.week_end_date <= shown_run.cutoff_date

),

charted as (

    select * from history_rows
    union all
    select * from forecast_rows

),

-- 52 weeks before, as the naive looks back, whatever the numbers of the weeks.
final as (

    select
        charted.*,
        last_year.sales as last_year

    from charted
    left join all_sales as last_year
        on
            charted.level = last_year.level
            and charted.item_id = last_year.item_id
            and charted.week_end_date = {{ add_weeks('last_year.week_end_date', var('season_weeks')) }}

)

select * from final
