with

fallback_items as (

    select * from {{ source('lake', 'fallback_items') }}

),

runs as (

    select * from {{ source('lake', 'runs') }}

),

-- A kill can leave the list of a run that has not landed.
final as (

    select
        fallback_items.run_id,
        fallback_items.item_id,
        fallback_items.reason as fallback_reason,
        fallback_items.largest_forecast,
        fallback_items.largest_plausible

    from fallback_items
    inner join runs on fallback_items.run_id = runs.run_id

)

select * from final
