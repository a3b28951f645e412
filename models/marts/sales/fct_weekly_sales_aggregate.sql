with

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

reported_weeks as (

    select * from {{ ref('int_sales__weekly') }}

),

levels as (

    {{ aggregate_levels() }}

),

-- What a series usually sells while it is open stands for a week that is not known, as long as it is waited for.
with_usual as (

    select
        *,
        avg(sales) over (
            partition by item_id, coalesce(is_closed_week, false) order by week_end_date
            rows between {{ var('least_silence_weeks') }} preceding and 1 preceding
        ) as usual_sales,
        count(sales) over (
            partition by item_id, coalesce(is_closed_week, false) order by week_end_date
            rows between {{ var('least_silence_weeks') }} preceding and 1 preceding
        ) as n_known,
        count(*) over (
            partition by item_id, coalesce(is_closed_week, false) order by week_end_date
            rows between {{ var('least_silence_weeks') }} preceding and 1 preceding
        ) as n_weeks

    from weekly_sales

),

-- A series that often has no row is not waited for when it has none again.
waited_for as (

    select
        store_id,
        department_id,
        week_end_date,
        sales,
        is_part_week,
        case when is_part_week or (sales is null and 5 * n_known >= 4 * n_weeks) then abs(usual_sales) end
            as missing_sales

    from with_usual

),

-- A series begins with its first whole week; of the part weeks before it is known what was reported.
part_weeks_before as (

    select
        reported_weeks.store_id,
        reported_weeks.department_id,
        reported_weeks.week_end_date,
        cast(null as double) as sales,
        true as is_part_week,
        abs(reported_weeks.sales) as missing_sales

    from reported_weeks
    left join weekly_sales
        on
            reported_weeks.item_id = weekly_sales.item_id
            and reported_weeks.week_end_date = weekly_sales.week_end_date
    where reported_weeks.is_part_week and weekly_sales.item_id is null

),

series_weeks as (

    select * from waited_for
    union all
    select * from part_weeks_before

),

located as (

    select
        series_weeks.week_end_date,
        series_weeks.sales,
        series_weeks.is_part_week,
        series_weeks.missing_sales,
        levels.level,
        {{ store_at_level('levels.level', 'series_weeks.store_id') }} as store_id,
        {{ department_at_level('levels.level', 'series_weeks.department_id') }} as department_id

    from series_weeks
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
        count(case when missing_sales > 0e0 then 1 end) as n_missing_items,
        sum(sales) as sales,
        coalesce(sum(abs(sales)), 0e0) as known_sales,
        coalesce(sum(missing_sales), 0e0) as missing_sales

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
        case when 99e0 * missing_sales <= known_sales then sales end as sales,
        n_part_items > 0 or 99e0 * missing_sales > known_sales as is_part_week,
        n_missing_items

    from summed

)

select * from final
