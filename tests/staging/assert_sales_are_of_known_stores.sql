with

sales_judged as (

    select * from {{ ref('stg_retail__sales_judged') }}
    where rejection_reason = 'store_unknown'

)

select
    store_id,
    count(*) as n_rows,
    cast(sum(cast(sales as decimal(18, 4))) as double) as sales,
    min(sales_date) as first_sales_date,
    max(sales_date) as last_sales_date

from sales_judged
group by 1
order by 2 desc, 1 asc
