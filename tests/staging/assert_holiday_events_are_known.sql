with

settings as (

    select * from {{ source('lake', 'settings') }}

),

newest as (

    {{ newest_settings('settings') }}

),

calendar_events as (

    select * from {{ ref('stg_retail__calendar_events') }}

)

select settings.name as event_name from settings
inner join newest on settings.settings_id = newest.settings_id
where
    settings.section = 'holiday_event'
    and settings.name not in (select calendar_events.event_name from calendar_events)
