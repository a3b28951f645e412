with

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

levels as (

    {{ aggregate_levels() }}

),

-- What a series usually sells stands for a part week, as long as a store is waited for.
with_usual as (

    select
        *,
        avg(sales) over (
            partition by item_id order by week_end_date
            rows between {{ var('least_silence_weeks') }} preceding and 1 preceding
        ) as usual_sales

    from weekly_sales

),

located as (

    select
        with_usual.week_end_date,
        with_usual.sales,
        with_usual.is_part_week,
        case when with_usual.is_part_week then abs(with_usual.usual_sales) end as missing_sales,
        levels.level,
        {{ store_at_level('levels.level', 'with_usual.store_id') }} as store_id,
        {{ department_at_level('levels.level', 'with_usual.department_id') }} as department_id

    from with_usual
    cross join levels

),

summed as (

    select
        level,
        store_id,
        department_id,
        week_end_date,
        count(sales) as n_items,
        cast(count_if(is_part_week) as bigint) as n_part_items,
        sum(sales) as sales,
        sum(abs(sales)) as known_sales,
        sum(missing_sales) as missing_sales

    from located
    group by 1, 2, 3, 4

),

-- A total without one hundredth of it is no total: it would show as a fall.
final as (

    select
        level,
        {{ aggregate_item_id('store_id', 'department_id') }} as item_id,
        store_id,
        department_id,
        week_end_date,
        n_items,
        n_part_items,
        case when 99e0 * coalesce(missing_sales, 0e0) <= known_sales then sales end as sales,
        n_part_items > 0 as is_part_week

    from summed

)

select * from final
