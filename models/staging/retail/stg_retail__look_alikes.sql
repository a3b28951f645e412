{{ config(materialized='table') }}

with

sales as (

    select * from {{ ref('stg_retail__sales') }}

),

related_series as (

    select * from {{ ref('stg_retail__related_series') }}

),

stores as (

    select * from {{ ref('stg_retail__stores') }}

),

departments as (

    select * from {{ ref('stg_retail__departments') }}

),

sold as (

    select
        store_id,
        department_id,
        count(*) as n_sales_rows,
        sum(cast(sales as decimal(18, 4))) as sales,
        min(sales_date) as first_sales_date,
        max(sales_date) as last_sales_date

    from sales
    group by grouping sets ((store_id), (department_id))

),

related as (

    select
        store_id,
        department_id

    from related_series
    group by grouping sets ((store_id), (department_id))

),

used as (

    select
        'sales' as table_name,
        case when store_id is null then 'department' else 'store' end as key_name,
        coalesce(store_id, department_id) as spelling,
        n_sales_rows,
        sales,
        first_sales_date,
        last_sales_date

    from sold
    union all
    select
        'related' as table_name,
        case when store_id is null then 'department' else 'store' end as key_name,
        coalesce(store_id, department_id) as spelling,
        0 as n_sales_rows,
        0 as sales,
        cast(null as date) as first_sales_date,
        cast(null as date) as last_sales_date

    from related
    union all
    select
        'stores' as table_name,
        'store' as key_name,
        store_id as spelling,
        0 as n_sales_rows,
        0 as sales,
        cast(null as date) as first_sales_date,
        cast(null as date) as last_sales_date

    from stores
    union all
    select
        'departments' as table_name,
        'department' as key_name,
        department_id as spelling,
        0 as n_sales_rows,
        0 as sales,
        cast(null as date) as first_sales_date,
        cast(null as date) as last_sales_date

    from departments

),

spellings as (

    select
        key_name,
        spelling,
        {{ look_alike_key('spelling') }} as look_alike,
        {{ list_text('table_name', 'table_name') }} as table_names,
        cast(sum(n_sales_rows) as bigint) as n_sales_rows,
        cast(sum(sales) as double) as sales,
        min(first_sales_date) as first_sales_date,
        max(last_sales_date) as last_sales_date

    from used
    where spelling <> ''
    group by 1, 2, 3

),

groups as (

    select
        key_name,
        look_alike,
        {{ list_text('spelling', 'spelling') }} as spellings

    from spellings
    group by 1, 2
    having count(*) > 1

),

final as (

    select
        spellings.key_name,
        spellings.spelling,
        groups.spellings,
        spellings.table_names,
        spellings.n_sales_rows,
        spellings.sales,
        spellings.first_sales_date,
        spellings.last_sales_date

    from spellings
    inner join groups
        on
            spellings.key_name = groups.key_name
            and spellings.look_alike = groups.look_alike

)

select * from final
