with

withdrawals as (

    select * from {{ source('lake', 'withdrawals') }}

),

-- Two commands at once may both have withdrawn a run.
ranked as (

    select
        *,
        row_number() over (partition by run_id order by withdrawn_at asc, reason asc) as first_rank

    from withdrawals

),

final as (

    select
        run_id,
        reason,
        withdrawn_at

    from ranked
    where first_rank = 1

)

select * from final
