with

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

sales_judged as (

    select * from {{ ref('stg_retail__sales_judged') }}

),

related_series_judged as (

    select * from {{ ref('stg_retail__related_series_judged') }}

),

stores_judged as (

    select * from {{ ref('stg_retail__stores_judged') }}

),

departments_judged as (

    select * from {{ ref('stg_retail__departments_judged') }}

),

series_changes_judged as (

    select * from {{ ref('stg_retail__series_changes_judged') }}

),

-- Decimal sums do not depend on the order of the rows, and take what is rejected for its size.
judged as (

    select
        load_id,
        row_status,
        count(*) as n_rows,
        cast(sum(try_cast(sales as decimal(28, 4))) as double) as sales

    from sales_judged
    group by 1, 2
    union all
    select
        load_id,
        row_status,
        count(*) as n_rows,
        cast(null as double) as sales

    from related_series_judged
    group by 1, 2
    union all
    select
        load_id,
        row_status,
        count(*) as n_rows,
        cast(null as double) as sales

    from stores_judged
    group by 1, 2
    union all
    select
        load_id,
        row_status,
        count(*) as n_rows,
        cast(null as double) as sales

    from departments_judged
    group by 1, 2
    union all
    select
        load_id,
        row_status,
        count(*) as n_rows,
        cast(null as double) as sales

    from series_changes_judged
    group by 1, 2

),

counted as (

    select
        load_id,
        sum(case when row_status = 'accepted' then n_rows else 0 end) as n_accepted,
        sum(case when row_status = 'rejected' then n_rows else 0 end) as n_rejected,
        sum(case when row_status = 'superseded' then n_rows else 0 end) as n_superseded,
        sum(case when row_status = 'retracted' then n_rows else 0 end) as n_retracted,
        sum(case when row_status = 'accepted' then sales end) as sales_accepted,
        sum(case when row_status = 'rejected' then sales end) as sales_rejected,
        sum(case when row_status = 'superseded' then sales end) as sales_superseded,
        sum(case when row_status = 'retracted' then sales end) as sales_retracted

    from judged
    group by 1

),

final as (

    select
        loads.load_id,
        loads.delivery_id,
        loads.table_name,
        loads.source_file,
        loads.loaded_at,
        loads.between_deliveries,
        loads.replaced_by_load_id,
        loads.first_date,
        loads.last_date,
        loads.n_rows,
        cast(coalesce(counted.n_accepted, 0) as bigint) as n_accepted,
        cast(coalesce(counted.n_rejected, 0) as bigint) as n_rejected,
        cast(coalesce(counted.n_superseded, 0) as bigint) as n_superseded,
        cast(coalesce(counted.n_retracted, 0) as bigint) as n_retracted,
        loads.n_left_out,
        loads.sales_sum as sales,
        case when loads.table_name = 'raw_sales' then coalesce(counted.sales_accepted, 0e0) end as sales_accepted,
        case when loads.table_name = 'raw_sales' then coalesce(counted.sales_rejected, 0e0) end as sales_rejected,
        case when loads.table_name = 'raw_sales' then coalesce(counted.sales_superseded, 0e0) end as sales_superseded,
        case when loads.table_name = 'raw_sales' then coalesce(counted.sales_retracted, 0e0) end as sales_retracted

    from loads
    left join counted on loads.load_id = counted.load_id

)

select * from final
