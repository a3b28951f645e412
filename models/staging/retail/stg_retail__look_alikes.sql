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

key_names as (

    select 'store' as key_name
    union all
    select 'department' as key_name

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
    group by 1, 2

),

related as (

    select distinct
        store_id,
        department_id

    from related_series

),

used as (

    select
        'sales' as table_name,
        key_names.key_name,
        case key_names.key_name when 'store' then sold.store_id else sold.department_id end as spelling,
        sold.n_sales_rows,
        sold.sales,
        sold.first_sales_date,
        sold.last_sales_date

    from sold
    cross join key_names
    union all
    select
        'related' as table_name,
        key_names.key_name,
        case key_names.key_name when 'store' then related.store_id else related.department_id end as spelling,
        0 as n_sales_rows,
        0 as sales,
        cast(null as date) as first_sales_date,
        cast(null as date) as last_sales_date

    from related
    cross join key_names
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
        min({{ look_alike_key('spelling') }}) as look_alike,
        {{ list_text('table_name', 'table_name') }} as table_names,
        cast(sum(n_sales_rows) as bigint) as n_sales_rows,
        cast(sum(sales) as double) as sales,
        min(first_sales_date) as first_sales_date,
        max(last_sales_date) as last_sales_date

    from used
    where spelling <> ''
    group by 1, 2

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
