{{ config(materialized='table') }}

with

retail_days as (

    select * from {{ ref('retail_days') }}

),

settings as (

    select * from {{ source('lake', 'settings') }}

),

newest as (

    {{ newest_settings('settings') }}

),

countries as (

    select distinct settings.value as country from settings
    inner join newest on settings.settings_id = newest.settings_id
    where settings.section = 'calendar_region'

),

holidays as (

    select
        settings.name as event_name,
        {{ to_date('settings.attribute') }} as event_date,
        try_cast(settings.value as integer) as lead_days

    from settings
    inner join newest on settings.settings_id = newest.settings_id
    where settings.section = 'holiday'

),

-- Countries may share a day of one name, as Easter.
region_days as (

    select
        retail_days.event_name,
        retail_days.event_date,
        retail_days.lead_days,
        false as is_holiday

    from retail_days
    inner join countries on retail_days.country = countries.country
    union all
    select
        event_name,
        event_date,
        lead_days,
        true as is_holiday

    from holidays

),

region_events as (

    select
        event_name,
        event_date,
        max(lead_days) as lead_days,
        max(case when is_holiday then 1 else 0 end) = 1 as is_holiday

    from region_days
    group by 1, 2

),

own_events as (

    select
        settings.name as event_name,
        {{ to_date('settings.attribute') }} as event_date,
        try_cast(settings.value as integer) as lead_days

    from settings
    inner join newest on settings.settings_id = newest.settings_id
    where settings.section = 'calendar_event'

),

own_years as (

    select distinct
        event_name,
        extract(year from event_date) as event_year

    from own_events

),

holiday_names as (

    select distinct event_name from region_events
    where is_holiday

),

-- An own event gives the region's event of its name other days or lead days, in the years that it names.
events as (

    select
        own_events.event_name,
        own_events.event_date,
        own_events.lead_days,
        holiday_names.event_name is not null as is_holiday,
        true as is_own_event

    from own_events
    left join holiday_names on own_events.event_name = holiday_names.event_name
    union all
    select
        region_events.event_name,
        region_events.event_date,
        region_events.lead_days,
        region_events.is_holiday,
        false as is_own_event

    from region_events
    left join own_years
        on
            region_events.event_name = own_years.event_name
            and extract(year from region_events.event_date) = own_years.event_year
    where own_years.event_name is null

),

-- The mapping may name the events whose weeks weigh; else the holidays do.
weighty_names as (

    select settings.name as event_name from settings
    inner join newest on settings.settings_id = newest.settings_id
    where settings.section = 'holiday_event'

),

weighty_count as (

    select count(*) as n_names from weighty_names

),

final as (

    select
        events.event_name,
        events.event_date,
        events.lead_days,
        events.is_holiday,
        case
            when weighty_count.n_names = 0 then events.is_holiday
            else weighty_names.event_name is not null
        end as makes_holiday_week,
        events.is_own_event

    from events
    cross join weighty_count
    left join weighty_names on events.event_name = weighty_names.event_name

)

select * from final
