with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

statements as (

    select * from {{ ref('int_sales__statements') }}
    where said_of = 'rebuild'

),

-- A row of zeros is silence like no row at all.
sold as (

    select
        item_id,
        week_idx,
        week_end_date,
        lag(week_idx) over (partition by item_id order by week_idx) as sold_before_week_idx,
        lag(week_end_date) over (partition by item_id order by week_idx) as sold_before_week_end_date,
        min(week_idx) over (partition by item_id order by week_idx) as first_sold_week_idx

    from sales_filled
    where is_sold

),

-- That a store was closed and opened again says nothing of the rhythm of what it sells.
broken as (

    select
        sold.item_id,
        sold.first_sold_week_idx,
        sold.sold_before_week_idx as last_sold_week_idx,
        sold.week_idx as next_sold_week_idx

    from sold
    left join statements
        on
            sold.item_id = statements.item_id
            and sold.sold_before_week_end_date < statements.opened_on
            and sold.week_end_date >= statements.opened_on
    where
        sold.week_idx - sold.sold_before_week_idx > 1
        and statements.item_id is null

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
