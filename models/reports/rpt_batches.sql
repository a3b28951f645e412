{{ config(materialized='view') }}

with

run_steps as (

    select * from {{ ref('stg_forecasts__run_steps') }}

),

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

ranked_steps as (

    select
        run_steps.*,
        row_number() over (
            partition by run_steps.batch_id
            order by run_steps.finished_at desc, run_steps.started_at desc
        ) as newest_rank

    from run_steps

),

batch_steps as (

    select
        batch_id,
        min(started_at) as started_at,
        max(finished_at) as finished_at,
        sum(seconds) as seconds,
        sum(billable_seconds) as billable_seconds,
        -- A sum without some of the jobs would tell too little.
        case when count(cost_usd) = count(job_name) then sum(cost_usd) end as cost_usd,
        max(case when newest_rank = 1 then step end) as last_step,
        max(case when newest_rank = 1 then step_status end) as last_step_status

    from ranked_steps
    group by 1

),

batch_runs as (

    select
        batch_id,
        count(*) as n_runs,
        cast(sum(n_rows) as bigint) as n_forecast_rows

    from runs
    group by 1

),

final as (

    select
        batch_steps.batch_id,
        batch_steps.started_at,
        batch_steps.finished_at,
        coalesce(batch_runs.n_runs, 0) as n_runs,
        coalesce(batch_runs.n_forecast_rows, 0) as n_forecast_rows,
        batch_steps.seconds,
        batch_steps.billable_seconds,
        batch_steps.cost_usd,
        batch_steps.last_step,
        batch_steps.last_step_status

    from batch_steps
    left join batch_runs on batch_steps.batch_id = batch_runs.batch_id

)

select * from final
