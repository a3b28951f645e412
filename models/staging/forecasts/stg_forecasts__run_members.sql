with

run_members as (

    select * from {{ source('lake', 'run_members') }}

),

final as (

    select
        run_id,
        batch_id,
        model_id,
        cutoff_date,
        prediction_length,
        member_model_id,
        member_run_id,
        n_members,
        asked_at

    from run_members

)

select * from final
