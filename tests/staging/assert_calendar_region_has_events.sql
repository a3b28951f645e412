with

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

calendar_events as (

    select * from {{ ref('calendar_events') }}

)

select calendar_region from settings
where calendar_region not in (select calendar_events.region from calendar_events)
