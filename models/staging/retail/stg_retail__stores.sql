with

stores_judged as (

    select * from {{ ref('stg_retail__stores_judged') }}

),

final as (

    select
        store_id,
        store_type,
        store_size,
        region,
        opened_on,
        closed_on

    from stores_judged
    where row_status = 'accepted'

)

select * from final
