with

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

all_forecasts as (

    select * from {{ ref('fct_forecast') }}

),

all_forecast_aggregates as (

    select * from {{ ref('fct_forecast_aggregate') }}

),

all_compared_aggregates as (

    select * from {{ ref('fct_forecast_vs_actual_aggregate') }}

),

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

sales_aggregates as (

    select * from {{ ref('fct_weekly_sales_aggregate') }}

),

reigns as (

    select * from {{ ref('stg_forecasts__reigns') }}

),

weeks as (

    select * from {{ ref('dim_week') }}

),

newest_week as (

    select max(week_end_date) as week_end_date from weeks
    where is_complete

),

champion as (

    select model_id from reigns
    where is_champion

),

-- The champion is shown as long as it forecasts weeks ahead; a shorter rerun never cuts the chart.
ranked_runs as (

    select
        runs.run_id,
        runs.batch_id,
        runs.model_id,
        runs.cutoff_date,
        row_number() over (
            order by
                case
                    when
                        runs.model_id = champion.model_id
                        and {{ add_weeks('runs.cutoff_date', 'runs.prediction_length') }} > newest_week.week_end_date
                        then 0
                    else 1
                end,
                runs.cutoff_date desc,
                case when runs.model_id = champion.model_id then 0 else 1 end,
                case when runs.kind = 'live' then 0 else 1 end,
                runs.prediction_length desc,
                runs.landed_at desc,
                runs.run_id desc
        ) as shown_rank

    from runs
    cross join champion
    cross join newest_week
    where runs.withdrawn_at is null and runs.kind in ('live', 'hindsight')

),

shown_run as (

    select * from ranked_runs
    where shown_rank = 1

),

naive_run as (

    select max(runs.run_id) as run_id
    from runs
    inner join shown_run
        on
            runs.batch_id = shown_run.batch_id
            and runs.cutoff_date = shown_run.cutoff_date
    where runs.model_id = 'snaive_52'

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

charted_runs as (

    select run_id from shown_run
    union
    select run_id from naive_run
    where run_id is not null

),

forecasts as (

    select
        'store-department' as level,
        all_forecasts.run_id,
        all_forecasts.item_id,
        all_forecasts.store_id,
        all_forecasts.department_id,
        all_forecasts.week_end_date,
        all_forecasts.horizon_weeks,
        all_forecasts.mean,
        all_forecasts.p10,
        all_forecasts.p50,
        all_forecasts.p90

    from all_forecasts
    inner join charted_runs on all_forecasts.run_id = charted_runs.run_id
    union all
    select
        all_forecast_aggregates.level,
        all_forecast_aggregates.run_id,
        all_forecast_aggregates.item_id,
        all_forecast_aggregates.store_id,
        all_forecast_aggregates.department_id,
        all_forecast_aggregates.week_end_date,
        all_forecast_aggregates.horizon_weeks,
        all_forecast_aggregates.mean,
        all_forecast_aggregates.p10,
        all_forecast_aggregates.p50,
        all_forecast_aggregates.p90

    from all_forecast_aggregates
    inner join charted_runs on all_forecast_aggregates.run_id = charted_runs.run_id

),

compared_aggregates as (

    select all_compared_aggregates.*
    from all_compared_aggregates
    inner join shown_run on all_compared_aggregates.run_id = shown_run.run_id

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
    cross join naive_run
    left join forecasts as naive
        on
            naive_run.run_id = naive.run_id
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
