with

sales_judged as (

    select * from {{ ref('stg_retail__sales_judged') }}

),

related_series_judged as (

    select * from {{ ref('stg_retail__related_series_judged') }}

),

counted as (

    select
        'raw_sales' as table_name,
        sales_date as row_date,
        coalesce(rejection_reason = 'date_far_from_the_rest', false) as is_set_aside,
        count(*) as n_rows,
        sum(case when abs(sales) < 1e13 then cast(sales as decimal(18, 4)) end) as sales

    from sales_judged
    where row_status = 'accepted' or rejection_reason = 'date_far_from_the_rest'
    group by 1, 2, 3
    union all
    select
        'raw_related' as table_name,
        series_date as row_date,
        true as is_set_aside,
        count(*) as n_rows,
        cast(null as decimal(18, 4)) as sales

    from related_series_judged
    where rejection_reason = 'date_far_from_the_rest'
    group by 1, 2, 3

),

in_order as (

    select
        table_name,
        row_date,
        is_set_aside,
        n_rows,
        sales,
        lag(row_date) over (partition by table_name, is_set_aside order by row_date) as date_before

    from counted

)

select
    table_name,
    'set_aside' as what,
    cast(null as date) as date_before,
    row_date,
    n_rows,
    sales

from in_order
where is_set_aside
union all
select
    table_name,
    'in_sales' as what,
    date_before,
    row_date,
    n_rows,
    sales

from in_order
where
    not is_set_aside
    and date_diff('day', date_before, row_date) > 728
