with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

-- A row of zeros is silence like no row at all.
sold as (

    select
        item_id,
        week_idx,
        lag(week_idx) over (partition by item_id order by week_idx) as sold_before_week_idx,
        min(week_idx) over (partition by item_id order by week_idx) as first_sold_week_idx

    from sales_filled
    where is_sold

),

broken as (

    select
        item_id,
        first_sold_week_idx,
        sold_before_week_idx as last_sold_week_idx,
        week_idx as next_sold_week_idx

    from sold
    where week_idx - sold_before_week_idx > 1

),

lasting as (

    select
        item_id,
        min(week_idx) as first_sold_week_idx,
        max(week_idx) as last_sold_week_idx,
        cast(null as integer) as next_sold_week_idx

    from sold
    group by 1

),

silences as (

    select * from broken
    union all
    select * from lasting

),

final as (

    select
        item_id,
        last_sold_week_idx,
        next_sold_week_idx,
        first_sold_week_idx,
        coalesce(max(next_sold_week_idx - last_sold_week_idx - 1) over (
            partition by item_id order by last_sold_week_idx
            rows between unbounded preceding and 1 preceding
        ), 0) as longest_before_weeks

    from silences

)

select * from final
