with

store_part_weeks as (

    select * from {{ ref('int_week__part_weeks') }}

),

series_part_weeks as (

    select * from {{ ref('int_sales__part_weeks') }}

),

sales_weekly as (

    select * from {{ ref('int_sales__weekly') }}

),

store_sales as (

    select
        store_id,
        week_end_date,
        cast(sum(cast(sales as decimal(18, 4))) as double) as reported_sales

    from sales_weekly
    where is_part_week
    group by 1, 2

),

final as (

    select
        {{ aggregate_item_id('store_part_weeks.store_id', "cast(null as varchar)") }} as item_id,
        store_part_weeks.week_end_date,
        store_part_weeks.store_id,
        cast(null as varchar) as department_id,
        store_part_weeks.reason,
        store_part_weeks.n_days,
        store_part_weeks.n_usual_days,
        store_part_weeks.last_sales_date,
        coalesce(store_sales.reported_sales, 0e0) as reported_sales

    from store_part_weeks
    left join store_sales
        on
            store_part_weeks.store_id = store_sales.store_id
            and store_part_weeks.week_end_date = store_sales.week_end_date
    union all
    select
        series_part_weeks.item_id,
        series_part_weeks.week_end_date,
        series_part_weeks.store_id,
        series_part_weeks.department_id,
        series_part_weeks.reason,
        series_part_weeks.n_days,
        series_part_weeks.n_usual_days,
        series_part_weeks.last_sales_date,
        sales_weekly.sales as reported_sales

    from series_part_weeks
    inner join sales_weekly
        on
            series_part_weeks.item_id = sales_weekly.item_id
            and series_part_weeks.week_end_date = sales_weekly.week_end_date
    left join store_part_weeks
        on
            series_part_weeks.store_id = store_part_weeks.store_id
            and series_part_weeks.week_end_date = store_part_weeks.week_end_date
    where store_part_weeks.store_id is null

)

select * from final
