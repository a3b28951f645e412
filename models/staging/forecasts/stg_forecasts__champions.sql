with

champions as (

    select * from {{ source('lake', 'champions') }}

),

final as (

    select
        model_id,
        trained_model_id,
        coalesce(action, 'set') as champion_action,
        reason,
        set_at

    from champions

)

select * from final
