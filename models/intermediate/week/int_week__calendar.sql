with

spine as (

    select * from {{ ref('int_week__spine') }}

),

calendar_events as (

    select * from {{ ref('stg_retail__calendar_events') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

sales_weekly as (

    select * from {{ ref('int_sales__weekly') }}

),

settings_anchor as (

    select week_anchor from settings

),

dated_events as (

    select
        calendar_events.event_name,
        calendar_events.is_holiday,
        calendar_events.event_date,
        {{ week_end('calendar_events.event_date', 'settings_anchor.week_anchor') }} as week_end_date

    from calendar_events
    cross join settings_anchor

),

week_events as (

    select
        week_end_date,
        {{ list_text('event_name', 'event_name') }} as events,
        max(case when is_holiday then 1 else 0 end) = 1 as is_holiday_week

    from dated_events
    group by 1

),

-- What the source itself says of a week comes before the calendar.
sales_flags as (

    select
        week_end_date,
        max(case when is_holiday_week then 1 else 0 end) = 1 as is_holiday_week

    from sales_weekly
    where is_holiday_week is not null
    group by 1

),

final as (

    select
        spine.week_idx,
        spine.week_end_date,
        spine.is_complete,
        week_events.events,
        coalesce(sales_flags.is_holiday_week, week_events.is_holiday_week, false) as is_holiday_week,
        case
            when coalesce(sales_flags.is_holiday_week, week_events.is_holiday_week, false)
                then settings.holiday_weight
            else 1e0
        end as week_weight

    from spine
    cross join settings
    left join week_events on spine.week_end_date = week_events.week_end_date
    left join sales_flags on spine.week_end_date = sales_flags.week_end_date

)

select * from final
