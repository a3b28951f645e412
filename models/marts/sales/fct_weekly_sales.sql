with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

calendar as (

    select * from {{ ref('int_week__calendar') }}

),

-- After it closed a series sells nothing, and before it opens neither.
known_sales as (

    select
        item_id,
        week_idx,
        week_end_date,
        store_id,
        department_id,
        case when is_closed_week then 0e0 else sales end as sales,
        is_observed,
        is_part_week,
        is_closed_week,
        is_stocked_out_week

    from sales_filled

),

final as (

    select
        known_sales.item_id,
        known_sales.week_end_date,
        known_sales.store_id,
        known_sales.department_id,
        known_sales.sales,
        last_year.sales as last_year,
        known_sales.is_observed,
        known_sales.is_part_week,
        known_sales.is_stocked_out_week,
        calendar.is_holiday_week,
        calendar.week_weight,
        known_sales.is_closed_week

    from known_sales
    inner join calendar on known_sales.week_idx = calendar.week_idx
    left join known_sales as last_year
        on
            known_sales.item_id = last_year.item_id
            and known_sales.week_idx = last_year.week_idx + {{ var('season_weeks') }}

)

select * from final
