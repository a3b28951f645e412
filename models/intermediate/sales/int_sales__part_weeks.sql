with

sales as (

    select * from {{ ref('stg_retail__sales') }}

),

store_days as (

    select * from {{ ref('int_week__store_days') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

series_changes as (

    select * from {{ ref('stg_retail__series_changes') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

-- Where a missing row means zero, only a whole store can be late.
reported_days as (

    select distinct
        sales.store_id,
        sales.department_id,
        sales.week_end_date,
        sales.sales_date

    from sales
    cross join settings
    where settings.grain = 'daily' and settings.missing_means = 'unknown'

),

extents as (

    select
        store_id,
        department_id,
        min(sales_date) as first_sales_date,
        max(sales_date) as last_sales_date

    from reported_days
    group by 1, 2

),

reported_weeks as (

    select distinct
        store_id,
        department_id,
        week_end_date

    from reported_days

),

-- What the user says of one series, or of a department in all stores.
closings as (

    select
        extents.store_id,
        extents.department_id,
        min(series_changes.closed_on) as closed_on

    from extents
    inner join series_changes
        on
            extents.department_id = series_changes.department_id
            and series_changes.store_id in ('', extents.store_id)
    group by 1, 2

),

-- Days without a row of the whole store are not the series' own.
located_days as (

    select
        reported_weeks.store_id,
        reported_weeks.department_id,
        reported_weeks.week_end_date,
        store_days.sales_date,
        date_diff('day', store_days.sales_date, reported_weeks.week_end_date) as days_before_week_end,
        case
            when store_days.sales_date < extents.first_sales_date then 'before'
            when store_days.sales_date > extents.last_sales_date then 'after'
            else 'within'
        end as place

    from reported_weeks
    inner join extents
        on
            reported_weeks.store_id = extents.store_id
            and reported_weeks.department_id = extents.department_id
    inner join store_days
        on
            reported_weeks.store_id = store_days.store_id
            and reported_weeks.week_end_date = store_days.week_end_date
            and store_days.is_reported
    left join closings
        on
            reported_weeks.store_id = closings.store_id
            and reported_weeks.department_id = closings.department_id
    where
        closings.closed_on is null
        or store_days.sales_date <= greatest(closings.closed_on, extents.last_sales_date)

),

days as (

    select
        located_days.*,
        reported_days.sales_date is not null as is_reported,
        located_days.place = 'within' as is_counted,
        false as is_usual_elsewhere

    from located_days
    left join reported_days
        on
            located_days.store_id = reported_days.store_id
            and located_days.department_id = reported_days.department_id
            and located_days.sales_date = reported_days.sales_date

),

{{ usual_days(keys=['store_id', 'department_id'], most_missed=0, least_weeks=8) }},

day_counts as (

    select
        store_id,
        department_id,
        week_end_date,
        count_if(is_reported) as n_days,
        count_if(is_usual) as n_usual_days,
        max(case when is_reported then sales_date end) as last_sales_date,
        count_if(is_usual and not is_reported and place = 'after') as n_missing_after,
        count_if(is_usual and not is_reported and place = 'before') as n_missing_before,
        count_if(is_usual and not is_reported and place = 'within') as n_missing_within

    from judged_days
    group by 1, 2, 3

),

-- One item may well miss a day by chance, so it takes two at an end of its life and three within.
short_weeks as (

    select
        *,
        case
            when n_missing_after >= 2 then 'late'
            when n_missing_before >= 2 then 'started'
            when n_missing_within >= 3 then 'interrupted'
        end as reason

    from day_counts

),

final as (

    select
        {{ item_id('short_weeks.store_id', 'short_weeks.department_id') }} as item_id,
        short_weeks.store_id,
        short_weeks.department_id,
        short_weeks.week_end_date,
        short_weeks.reason,
        cast(short_weeks.n_days as integer) as n_days,
        cast(short_weeks.n_usual_days as integer) as n_usual_days,
        short_weeks.last_sales_date

    from short_weeks
    inner join spine
        on
            short_weeks.week_end_date = spine.week_end_date
            and spine.is_complete
    where short_weeks.reason is not null

)

select * from final
