with

stores as (

    select * from {{ ref('stg_retail__stores') }}

),

series as (

    select * from {{ ref('int_sales__series') }}

),

sold as (

    select
        store_id,
        count(*) as n_series

    from series
    group by 1

),

-- A source without a stores table still has its stores here.
final as (

    select
        coalesce(stores.store_id, sold.store_id) as store_id,
        stores.store_type,
        stores.store_size,
        stores.region,
        stores.opened_on,
        stores.closed_on,
        coalesce(sold.n_series, 0) as n_series

    from stores
    full outer join sold on stores.store_id = sold.store_id

)

select * from final
