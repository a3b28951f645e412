with

sales_weekly as (

    select * from {{ ref('int_sales__weekly') }}

),

store_part_weeks as (

    select * from {{ ref('int_week__part_weeks') }}

),

series as (

    select * from {{ ref('int_sales__series') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

-- The whole store is late: its items without a row are no more known than those with one.
filled as (

    select
        series.item_id,
        series.store_id,
        series.department_id,
        spine.week_idx,
        spine.week_end_date,
        settings.missing_means,
        sales_weekly.sales as reported_sales,
        sales_weekly.item_id is not null as is_reported,
        coalesce(sales_weekly.is_stocked_out_week, false) as is_stocked_out_week,
        store_part_weeks.store_id is not null or coalesce(sales_weekly.is_part_week, false) as is_part_week

    from series
    cross join settings
    inner join spine
        on
            series.first_week_idx <= spine.week_idx
            and spine.is_complete
    left join sales_weekly
        on
            series.item_id = sales_weekly.item_id
            and spine.week_idx = sales_weekly.week_idx
    left join store_part_weeks
        on
            series.store_id = store_part_weeks.store_id
            and spine.week_end_date = store_part_weeks.week_end_date

),

final as (

    select
        item_id,
        store_id,
        department_id,
        week_idx,
        week_end_date,
        case
            when is_part_week then null
            when not is_reported and missing_means = 'zero' then 0e0
            else reported_sales
        end as sales,
        is_reported and not is_part_week as is_observed,
        coalesce(reported_sales <> 0e0, false) as is_sold,
        is_stocked_out_week,
        is_part_week

    from filled

)

select * from final
