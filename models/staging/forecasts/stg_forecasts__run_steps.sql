with

run_steps as (

    select * from {{ source('lake', 'run_steps') }}

),

final as (

    select
        batch_id,
        run_id,
        step,
        status as step_status,
        started_at,
        finished_at,
        seconds,
        detail,
        job_name,
        instance_type,
        instance_count,
        billable_seconds,
        cost_usd

    from run_steps

)

select * from final
