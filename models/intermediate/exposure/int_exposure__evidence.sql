{%- set in_order = 'over (partition by series_name, store_id, department_id order by week_idx)' -%}

with

exposures as (

    select * from {{ ref('int_exposure__weekly') }}

),

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

beside as (

    select
        *,
        lag(exposure) {{ in_order }} as exposure_before,
        lead(exposure) {{ in_order }} as exposure_after

    from exposures

),

exposed_stores as (

    select distinct store_id from exposures

),

sales_beside as (

    select
        sales_filled.store_id,
        sales_filled.department_id,
        sales_filled.week_idx,
        sales_filled.sales,
        lag(sales_filled.sales) over (partition by sales_filled.item_id order by sales_filled.week_idx)
            as sales_before,
        lead(sales_filled.sales) over (partition by sales_filled.item_id order by sales_filled.week_idx)
            as sales_after

    from sales_filled
    inner join exposed_stores on sales_filled.store_id = exposed_stores.store_id

),

-- The sales of what an exposure is of, in series that are known in all three weeks.
summed as (

    select
        beside.series_name,
        beside.store_id,
        beside.department_id,
        beside.week_idx,
        min(beside.exposure) as exposure,
        min(beside.exposure_before) as exposure_before,
        min(beside.exposure_after) as exposure_after,
        cast(sum({{ exact('sales_beside.sales') }}) as double) as sales,
        cast(sum({{ exact('sales_beside.sales_before') }}) as double) as sales_before,
        cast(sum({{ exact('sales_beside.sales_after') }}) as double) as sales_after

    from beside
    inner join sales_beside
        on
            beside.store_id = sales_beside.store_id
            and beside.department_id in ('', sales_beside.department_id)
            and beside.week_idx = sales_beside.week_idx
    where
        sales_beside.sales is not null
        and sales_beside.sales_before is not null
        and sales_beside.sales_after is not null
    group by 1, 2, 3, 4

),

-- Against the weeks before and after: what a season, a level or a trend does to all three is gone. Logarithms end in
-- other digits on other engines.
changes as (

    select
        series_name,
        week_idx,
        exposure,
        sales,
        case
            when sales > 0e0 and exposure > 0e0 and exposure_before > 0e0 and exposure_after > 0e0
                then round(ln(exposure) - 0.5e0 * (ln(exposure_before) + ln(exposure_after)), 9)
        end as exposure_change,
        case
            when sales > 0e0 and exposure > 0e0 and exposure_before > 0e0 and exposure_after > 0e0
                then
                    round(
                        greatest(-1.5e0, least(1.5e0, ln(sales) - 0.5e0 * (ln(sales_before) + ln(sales_after)))), 9
                    )
        end as sales_change

    from summed
    where sales_before > 0e0 and sales_after > 0e0

),

final as (

    select
        series_name,
        week_idx,
        count(exposure) as n_weeks,
        count_if(coalesce(exposure > 0e0, false)) as n_exposed,
        count_if(coalesce(exposure = 0e0 and sales > 0e0, false)) as n_sold_unexposed,
        count(exposure_change) as n_changes,
        count_if(coalesce(abs(exposure_change) >= 0.05e0, false)) as n_clear_changes,
        coalesce(cast(sum({{ exact('exposure_change') }}) as double), 0e0) as sum_exposure,
        coalesce(cast(sum({{ exact('sales_change') }}) as double), 0e0) as sum_sales,
        coalesce(cast(sum({{ exact('exposure_change * exposure_change') }}) as double), 0e0) as sum_exposure_squared,
        coalesce(cast(sum({{ exact('sales_change * sales_change') }}) as double), 0e0) as sum_sales_squared,
        coalesce(cast(sum({{ exact('exposure_change * sales_change') }}) as double), 0e0) as sum_product

    from changes
    group by 1, 2

)

select * from final
