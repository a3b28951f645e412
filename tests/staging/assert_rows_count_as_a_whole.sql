with

judged as (

    select
        'raw_sales' as table_name,
        row_problems,
        store_id,
        sales

    from {{ ref('stg_retail__sales_judged') }}
    where
        row_status = 'accepted'
        and row_problems is not null
    union all
    select
        'raw_stores' as table_name,
        row_problems,
        store_id,
        cast(null as double) as sales

    from {{ ref('stg_retail__stores_judged') }}
    where
        row_status = 'accepted'
        and row_problems is not null

)

select
    table_name,
    row_problems,
    count(distinct store_id) as n_stores,
    min(store_id) as first_store_id,
    max(store_id) as last_store_id,
    count(*) as n_rows,
    cast(sum(cast(sales as decimal(18, 4))) as double) as sales

from judged
group by 1, 2
order by 6 desc
