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

-- Sums are of decimals: those of doubles depend on the order of the rows, and each new week would move every scale.
summed as (

    select
        *,
        sum(cast(abs(seasonal_error) as decimal(18, 4))) over (
            partition by item_id order by week_idx
            rows between unbounded preceding and current row
        ) as sum_abs_seasonal_error,
        count(seasonal_error) over (
            partition by item_id order by week_idx
            rows between unbounded preceding and current row
        ) as n_seasonal_errors

    from errors

),

final as (

    select
        item_id,
        week_idx,
        week_end_date,
        seasonal_error,
        last_value_error,
        {{ safe_divide('sum_abs_seasonal_error', 'n_seasonal_errors') }} as seasonal_scale

    from summed

)

select * from final
