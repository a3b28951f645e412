with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

-- The filled table has no gap, so a lag of rows is a lag of weeks.
lagged as (

    select
        item_id,
        week_idx,
        week_end_date,
        sales,
        lag(sales, {{ var('season_weeks') }}) over (partition by item_id order by week_idx) as season_ago_sales,
        {{ last_known('sales', 'item_id', 'week_idx', until='1 preceding') }} as last_known_sales

    from sales_filled

),

errors as (

    select
        item_id,
        week_idx,
        week_end_date,
        sales - season_ago_sales as seasonal_error,
        sales - last_known_sales as last_value_error

    from lagged

),

final as (

    select
        item_id,
        week_idx,
        week_end_date,
        seasonal_error,
        last_value_error,
        avg(abs(seasonal_error)) over (
            partition by item_id order by week_idx
            rows between unbounded preceding and current row
        ) as seasonal_scale

    from errors

)

select * from final
