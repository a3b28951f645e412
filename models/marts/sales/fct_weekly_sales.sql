with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

calendar as (

    select * from {{ ref('int_week__calendar') }}

),

final as (

    select
        sales_filled.item_id,
        sales_filled.week_end_date,
        sales_filled.store_id,
        sales_filled.department_id,
        sales_filled.sales,
        last_year.sales as last_year,
        sales_filled.is_observed,
        sales_filled.is_part_week,
        sales_filled.is_stocked_out_week,
        calendar.is_holiday_week,
        calendar.week_weight

    from sales_filled
    inner join calendar on sales_filled.week_idx = calendar.week_idx
    left join sales_filled as last_year
        on
            sales_filled.item_id = last_year.item_id
            and sales_filled.week_idx = last_year.week_idx + {{ var('season_weeks') }}

)

select * from final
