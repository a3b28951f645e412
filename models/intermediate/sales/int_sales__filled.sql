with

sales_weekly as (

    select * from {{ ref('int_sales__weekly') }}

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

final as (

    select
        series.item_id,
        series.store_id,
        series.department_id,
        spine.week_idx,
        spine.week_end_date,
        case
            when sales_weekly.item_id is null and settings.missing_means = 'zero' then 0e0
            else sales_weekly.sales
        end as sales,
        sales_weekly.item_id is not null as is_observed,
        coalesce(sales_weekly.is_stocked_out_week, false) as is_stocked_out_week

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

)

select * from final
