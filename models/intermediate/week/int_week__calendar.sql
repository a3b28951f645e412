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
        calendar_events.makes_holiday_week,
        calendar_events.event_date,
        {{ week_end('calendar_events.event_date', 'settings_anchor.week_anchor') }} as week_end_date

    from calendar_events
    cross join settings_anchor

),

week_events as (

    select
        week_end_date,
        {{ list_text('event_name', 'event_name') }} as events,
        max(case when makes_holiday_week then 1 else 0 end) = 1 as is_holiday_week

    from dated_events
    group by 1

),

-- A source that flags open days only says false of a week whose holiday was a day off.
flagged_weeks as (

    select distinct week_end_date from sales_weekly
    where is_holiday_week

),

flags as (

    select
        spine.week_idx,
        spine.week_end_date,
        spine.is_complete,
        week_events.events,
        coalesce(week_events.is_holiday_week, false) or flagged_weeks.week_end_date is not null as is_holiday_week

    from spine
    left join week_events on spine.week_end_date = week_events.week_end_date
    left join flagged_weeks on spine.week_end_date = flagged_weeks.week_end_date

),

final as (

    select
        flags.week_idx,
        flags.week_end_date,
        flags.is_complete,
        flags.events,
        flags.is_holiday_week,
        case when flags.is_holiday_week then settings.holiday_weight else 1e0 end as week_weight

    from flags
    cross join settings

)

select * from final
