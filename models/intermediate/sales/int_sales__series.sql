with

sales_weekly as (

    select * from {{ ref('int_sales__weekly') }}

),

final as (

    select
        item_id,
        min(store_id) as store_id,
        min(department_id) as department_id,
        min(week_idx) as first_week_idx,
        min(week_end_date) as first_week_end_date,
        max(week_end_date) as last_week_end_date,
        count(*) as n_observed

    from sales_weekly
    where not is_part_week
    group by 1

)

select * from final
