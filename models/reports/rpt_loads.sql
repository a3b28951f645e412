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

judged as (

    select
        load_id,
        row_status,
        try_cast(sales as decimal(28, 4)) as sales

    from sales_judged
    union all
    select
        load_id,
        row_status,
        cast(null as decimal(28, 4)) as sales

    from related_series_judged
    union all
    select
        load_id,
        row_status,
        cast(null as decimal(28, 4)) as sales

    from stores_judged
    union all
    select
        load_id,
        row_status,
        cast(null as decimal(28, 4)) as sales

    from departments_judged
    union all
    select
        load_id,
        row_status,
        cast(null as decimal(28, 4)) as sales

    from series_changes_judged

),

-- Decimal sums do not depend on the order of the rows, and take what is rejected for its size.
counted as (

    select
        load_id,
        count_if(row_status = 'accepted') as n_accepted,
        count_if(row_status = 'rejected') as n_rejected,
        count_if(row_status = 'superseded') as n_superseded,
        count_if(row_status = 'retracted') as n_retracted,
        cast(sum(case when row_status = 'accepted' then sales end) as double) as sales_accepted,
        cast(sum(case when row_status = 'rejected' then sales end) as double) as sales_rejected,
        cast(sum(case when row_status = 'superseded' then sales end) as double) as sales_superseded,
        cast(sum(case when row_status = 'retracted' then sales end) as double) as sales_retracted

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
