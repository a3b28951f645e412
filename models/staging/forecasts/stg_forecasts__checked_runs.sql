with

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

batches as (

    select
        batch_id,
        row_number() over (order by max(landed_at) desc, batch_id desc) as newest_rank

    from runs
    group by 1

),

-- Older runs were checked when the marts took them in; a full refresh takes in all of them again.
final as (

    select runs.run_id
    from runs
    inner join batches on runs.batch_id = batches.batch_id
    where {{ 'true' if flags.FULL_REFRESH else 'batches.newest_rank <= ' ~ var('checked_batches') }}

)

select * from final
