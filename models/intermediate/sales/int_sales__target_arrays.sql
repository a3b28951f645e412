with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

gaps as (

    select * from {{ ref('int_features__gaps') }}

),

-- A week of which a model cannot see what was planned teaches it nothing.
final as (

    select
        sales_filled.item_id,
        min(sales_filled.week_idx) as first_week_idx,
        count(*) as n_weeks,
        array_agg(
            case when store_gaps.week_idx is null and department_gaps.week_idx is null then sales_filled.sales end
            order by sales_filled.week_idx
        ) as target

    from sales_filled
    left join gaps as store_gaps
        on
            sales_filled.store_id = store_gaps.store_id
            and store_gaps.department_id = ''
            and sales_filled.week_idx = store_gaps.week_idx
    left join gaps as department_gaps
        on
            sales_filled.store_id = department_gaps.store_id
            and sales_filled.department_id = department_gaps.department_id
            and sales_filled.week_idx = department_gaps.week_idx
    group by 1

)

select * from final
