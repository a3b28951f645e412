with

sales as (

    select * from {{ ref('stg_retail__sales') }}

),

openings as (

    select * from {{ ref('int_week__store_openings') }}

),

calendar_events as (

    select * from {{ ref('stg_retail__calendar_events') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

reported_days as (

    select distinct
        sales.store_id,
        sales.week_end_date,
        sales.sales_date

    from sales
    cross join settings
    where settings.grain = 'daily'

),

extents as (

    select
        store_id,
        min(sales_date) as first_sales_date,
        max(sales_date) as last_sales_date

    from reported_days
    group by 1

),

reported_weeks as (

    select distinct
        store_id,
        week_end_date

    from reported_days

),

holidays as (

    select distinct event_date from calendar_events
    where is_holiday

),

week_days as (

    select
        reported_weeks.store_id,
        reported_weeks.week_end_date,
        numbers.n as days_before_week_end,
        cast(reported_weeks.week_end_date - interval '1' day * numbers.n as date) as sales_date

    from reported_weeks
    cross join (values (0), (1), (2), (3), (4), (5), (6)) as numbers (n)

),

closed_days as (

    select distinct
        week_days.store_id,
        week_days.sales_date

    from week_days
    inner join openings on week_days.store_id = openings.store_id
    where
        {{ is_closed(
            'week_days.sales_date', 'week_days.sales_date', 'openings.opened_on', 'openings.closed_on'
        ) }}

),

located_days as (

    select
        week_days.*,
        reported_days.store_id is not null as is_reported,
        case
            when week_days.sales_date < extents.first_sales_date then 'before'
            when week_days.sales_date > extents.last_sales_date then 'after'
            else 'within'
        end as place,
        holidays.event_date is not null or closed_days.store_id is not null as is_excused

    from week_days
    inner join extents on week_days.store_id = extents.store_id
    left join reported_days
        on
            week_days.store_id = reported_days.store_id
            and week_days.sales_date = reported_days.sales_date
    left join holidays on week_days.sales_date = holidays.event_date
    left join closed_days
        on
            week_days.store_id = closed_days.store_id
            and week_days.sales_date = closed_days.sales_date

),

-- Only stores that could have told of a day count: those that have reported before and since.
chain_days as (

    select
        sales_date,
        count_if(place = 'within') as n_within,
        count_if(is_reported) as n_reported

    from located_days
    group by 1

),

chain_weekdays as (

    select
        days_before_week_end,
        count_if(place = 'within') as n_within,
        count_if(is_reported) as n_reported

    from located_days
    group by 1

),

compared_days as (

    select
        located_days.*,
        chain_days.n_reported as n_others_reported,
        chain_days.n_within - case when located_days.place = 'within' then 1 else 0 end as n_others_within,
        chain_weekdays.n_reported as n_weekday_reported,
        chain_weekdays.n_within as n_weekday_within

    from located_days
    inner join chain_days on located_days.sales_date = chain_days.sales_date
    inner join chain_weekdays on located_days.days_before_week_end = chain_weekdays.days_before_week_end

),

-- A day off: less than half as many of the others reported as on other days of that name.
days_off as (

    select
        *,
        not is_reported
        and n_others_within > 0
        and 2 * n_others_reported * n_weekday_within < n_others_within * n_weekday_reported as is_day_off

    from compared_days

),

days as (

    select
        *,
        is_reported or (place = 'within' and not is_excused and not is_day_off) as is_counted,
        n_weekday_within > 0 and 100 * n_weekday_reported >= 80 * n_weekday_within as is_usual_elsewhere

    from days_off

),

{{ usual_days(keys=['store_id'], most_missed=1, least_weeks=4) }},

final as (

    select
        store_id,
        sales_date,
        week_end_date,
        place,
        is_reported,
        is_usual,
        is_day_off,
        is_usual and not is_reported and not is_excused as is_missing

    from judged_days

)

select * from final
