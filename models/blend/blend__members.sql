with

run_members as (

    select * from {{ ref('stg_forecasts__run_members') }}

),

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

batches as (

    select
        batch_id,
        row_number() over (order by batch_id desc) as newest_rank

    from run_members
    group by 1

),

-- The newest batch's blends, and those of the two before it that have not landed: it may go on after another began.
asked as (

    select run_members.*
    from run_members
    inner join batches on run_members.batch_id = batches.batch_id
    left join runs on run_members.run_id = runs.run_id
    where
        batches.newest_rank = 1
        or (batches.newest_rank <= 3 and runs.run_id is null)

),

-- A blend can be made once all of its members have landed.
landed as (

    select
        asked.*,
        count(*) over (partition by asked.run_id) as n_landed

    from asked
    inner join runs on asked.member_run_id = runs.run_id

),

final as (

    select
        landed.run_id,
        landed.member_model_id,
        landed.member_run_id,
        landed.n_members,
        landed.model_id,
        landed.cutoff_date,
        spine.week_idx as cutoff_week_idx,
        landed.prediction_length

    from landed
    inner join spine on landed.cutoff_date = spine.week_end_date
    where landed.n_landed = landed.n_members

)

select * from final
