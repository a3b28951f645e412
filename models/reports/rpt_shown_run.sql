{{ config(materialized='view') }}

with

runs as (

    select * from {{ ref('dim_forecast_run') }}

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

final as (

    select
        shown_run.run_id,
        shown_run.batch_id,
        shown_run.model_id,
        shown_run.cutoff_date,
        naive_run.run_id as naive_run_id

    from shown_run
    cross join naive_run

)

select * from final
