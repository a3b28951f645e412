with

champions as (

    select * from {{ source('lake', 'champions') }}

),

final as (

    select
        model_id,
        reason,
        set_at

    from champions

)

select * from final
