with

sales as (

    select * from {{ ref('stg_retail__sales') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

store_part_weeks as (

    select * from {{ ref('int_week__part_weeks') }}

),

part_weeks as (

    select * from {{ ref('int_sales__part_weeks') }}

),

-- Decimal sums do not depend on the order of the rows.
weekly as (

    select
        store_id,
        department_id,
        week_end_date,
        cast(sum(cast(sales as decimal(18, 4))) as double) as sales,
        max(case when is_holiday then 1 when not is_holiday then 0 end) = 1 as is_holiday_week,
        max(case when is_stocked_out then 1 when not is_stocked_out then 0 end) = 1 as is_stocked_out_week

    from sales
    group by 1, 2, 3

),

final as (

    select
        {{ item_id('weekly.store_id', 'weekly.department_id') }} as item_id,
        weekly.store_id,
        weekly.department_id,
        spine.week_idx,
        weekly.week_end_date,
        weekly.sales,
        weekly.is_holiday_week,
        weekly.is_stocked_out_week,
        store_part_weeks.store_id is not null or part_weeks.store_id is not null as is_part_week

    from weekly
    inner join spine on weekly.week_end_date = spine.week_end_date
    left join store_part_weeks
        on
            weekly.store_id = store_part_weeks.store_id
            and weekly.week_end_date = store_part_weeks.week_end_date
    left join part_weeks
        on
            weekly.store_id = part_weeks.store_id
            and weekly.department_id = part_weeks.department_id
            and weekly.week_end_date = part_weeks.week_end_date
    where spine.is_complete

)

select * from final
