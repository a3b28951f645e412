with

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

calendar_events as (

    select * from {{ ref('stg_retail__calendar_events') }}

),

holidays as (

    select count(*) as n_holidays from calendar_events
    where is_holiday

)

select settings.calendar_region from settings
cross join holidays
where
    settings.mapping_name is not null
    and settings.calendar_region <> ''
    and holidays.n_holidays = 0
