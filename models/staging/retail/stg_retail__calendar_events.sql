{{ config(materialized='table') }}

with

calendar_events as (

    select * from {{ ref('calendar_events') }}

),

settings as (

    select * from {{ source('lake', 'settings') }}

),

source_settings as (

    select * from {{ ref('stg_retail__settings') }}

),

newest as (

    {{ newest_settings('settings') }}

),

region_events as (

    select
        calendar_events.event_name,
        calendar_events.event_date,
        calendar_events.lead_days,
        calendar_events.is_holiday

    from calendar_events
    inner join source_settings on calendar_events.region = source_settings.calendar_region

),

own_events as (

    select
        settings.name as event_name,
        {{ to_date('settings.attribute') }} as event_date,
        try_cast(settings.value as integer) as lead_days,
        false as is_holiday

    from settings
    inner join newest on settings.settings_id = newest.settings_id
    where settings.section = 'calendar_event'

),

-- An own event replaces the region's event of the same name.
final as (

    select
        event_name,
        event_date,
        lead_days,
        is_holiday,
        true as is_own_event

    from own_events
    union all
    select
        event_name,
        event_date,
        lead_days,
        is_holiday,
        false as is_own_event

    from region_events
    where event_name not in (select own_events.event_name from own_events)

)

select * from final
