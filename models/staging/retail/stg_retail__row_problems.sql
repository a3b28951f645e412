with

sales_judged as (

    select * from {{ ref('stg_retail__sales_judged') }}

),

stores_judged as (

    select * from {{ ref('stg_retail__stores_judged') }}

),

raw_sales as (

    select * from {{ source('lake', 'raw_sales') }}

),

raw_stores as (

    select * from {{ source('lake', 'raw_stores') }}

),

sales_rows as (

    select
        'raw_sales' as table_name,
        sales_judged.load_id,
        sales_judged.loaded_at,
        sales_judged.source_file,
        sales_judged.source_row,
        sales_judged.row_problems,
        sales_judged.sales,
        sales_judged.store_id || ' | ' || sales_judged.department_id
        || ' | ' || coalesce(raw_sales.date, '') || ' | ' || coalesce(raw_sales.sales, '')
        || ' | ' || coalesce(raw_sales.is_holiday, '') || ' | ' || coalesce(raw_sales.is_stocked_out, '') as row_text

    from sales_judged
    inner join raw_sales
        on
            sales_judged.load_id = raw_sales.load_id
            and sales_judged.source_row = raw_sales.source_row
    where
        sales_judged.row_status = 'accepted'
        and sales_judged.row_problems is not null

),

stores_rows as (

    select
        'raw_stores' as table_name,
        stores_judged.load_id,
        stores_judged.loaded_at,
        stores_judged.source_file,
        stores_judged.source_row,
        stores_judged.row_problems,
        cast(null as double) as sales,
        stores_judged.store_id || ' | ' || coalesce(raw_stores.size, '')
        || ' | ' || coalesce(raw_stores.opened_on, '') || ' | ' || coalesce(raw_stores.closed_on, '') as row_text

    from stores_judged
    inner join raw_stores
        on
            stores_judged.load_id = raw_stores.load_id
            and stores_judged.source_row = raw_stores.source_row
    where
        stores_judged.row_status = 'accepted'
        and stores_judged.row_problems is not null

),

problem_rows as (

    select * from sales_rows
    union all
    select * from stores_rows

),

final as (

    select
        problem_rows.table_name,
        problem_rows.load_id,
        problem_rows.loaded_at,
        problem_rows.source_file,
        problem_rows.source_row,
        problems.problem,
        problem_rows.sales,
        problem_rows.row_text

    from problem_rows
    cross join unnest(split(problem_rows.row_problems, ' ')) as problems (problem)

)

select * from final
