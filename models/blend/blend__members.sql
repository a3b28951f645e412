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

newest as (

    select max(batch_id) as batch_id from run_members

),

-- A blend can be made once all of its members have landed.
landed as (

    select
        run_members.*,
        count(*) over (partition by run_members.run_id) as n_landed

    from run_members
    inner join newest on run_members.batch_id = newest.batch_id
    inner join runs on run_members.member_run_id = runs.run_id

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
