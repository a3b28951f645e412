with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

final as (

    select
        item_id,
        min(week_idx) as first_week_idx,
        count(*) as n_weeks,
        array_agg(sales order by week_idx) as target

    from sales_filled
    group by 1

)

select * from final
