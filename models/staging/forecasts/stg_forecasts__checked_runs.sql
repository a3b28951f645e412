with

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

withdrawals as (

    select * from {{ ref('stg_forecasts__withdrawals') }}

),

batches as (

    select
        batch_id,
        max(landed_at) as landed_at,
        row_number() over (order by max(landed_at) desc, batch_id desc) as newest_rank

    from runs
    group by 1

),

newest_batches as (

    select * from batches
    where {{ 'true' if flags.FULL_REFRESH else 'newest_rank <= ' ~ var('checked_batches') }}

),

-- Where a run was withdrawn another one became the record, and the marts take its rows in again.
withdrawn as (

    select
        runs.model_id,
        runs.cutoff_date

    from runs
    inner join withdrawals on runs.run_id = withdrawals.run_id
    where withdrawals.withdrawn_at >= (select min(newest_batches.landed_at) from newest_batches)

),

-- Older runs were checked when the marts took them in; a full refresh takes in all of them again.
final as (

    select runs.run_id
    from runs
    inner join newest_batches on runs.batch_id = newest_batches.batch_id
    union distinct
    select runs.run_id
    from runs
    inner join withdrawn
        on
            runs.model_id = withdrawn.model_id
            and runs.cutoff_date = withdrawn.cutoff_date

)

select * from final
