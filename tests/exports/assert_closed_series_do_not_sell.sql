with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

statements as (

    select * from {{ ref('int_sales__statements') }}

)

select
    sales_filled.item_id,
    statements.opened_on,
    statements.closed_on,
    count(*) as n_weeks,
    min(sales_filled.week_end_date) as first_sold_week_end_date,
    max(sales_filled.week_end_date) as last_sold_week_end_date

from sales_filled
inner join statements on sales_filled.item_id = statements.item_id
where
    sales_filled.is_sold
    and {{ is_closed_week('sales_filled.week_end_date', 'statements.opened_on', 'statements.closed_on') }}
group by 1, 2, 3
order by 1
