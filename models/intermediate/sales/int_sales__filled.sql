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

statements as (

    select * from {{ ref('int_sales__statements') }}

),

-- What closed is known from then on; that a series had not yet opened, only afterwards.
closed_weeks as (

    select
        statements.item_id,
        spine.week_idx,
        count_if(statements.closed_on < spine.week_end_date) > 0 as is_closed_by_then

    from statements
    inner join series on statements.item_id = series.item_id
    inner join spine
        on
            series.first_week_idx <= spine.week_idx
            and spine.is_complete
    where {{ is_closed_week('spine.week_end_date', 'statements.opened_on', 'statements.closed_on') }}
    group by 1, 2

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
        sales_weekly.item_id is null and closed_weeks.item_id is not null as is_closed_week,
        coalesce(closed_weeks.is_closed_by_then, false) as is_closed_by_then,
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
    left join closed_weeks
        on
            series.item_id = closed_weeks.item_id
            and spine.week_idx = closed_weeks.week_idx

),

-- A closed week is unknown to what learns from it: who opens again is not forecast by the zeros of a rebuild.
final as (

    select
        item_id,
        store_id,
        department_id,
        week_idx,
        week_end_date,
        case
            when is_reported and not is_part_week then reported_sales
            when is_part_week and not is_closed_week then null
            when missing_means = 'zero' and not is_closed_by_then then 0e0
        end as sales,
        is_reported and not is_part_week as is_observed,
        coalesce(reported_sales <> 0e0, false) as is_sold,
        is_stocked_out_week,
        is_part_week and not is_closed_week as is_part_week,
        is_closed_week

    from filled

)

select * from final
