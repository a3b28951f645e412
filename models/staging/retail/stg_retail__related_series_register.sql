with

settings as (

    select * from {{ source('lake', 'settings') }}

),

newest as (

    {{ newest_settings('settings') }}

),

register as (

    select
        settings.name as series_name,
        max(case when settings.attribute = 'known_future' then settings.value end) = 'true' as is_known_future,
        max(case when settings.attribute = 'weekly_aggregation' then settings.value end) as weekly_aggregation,
        max(case when settings.attribute = 'fill' then settings.value end) as fill_rule,
        max(case when settings.attribute = 'grain' then settings.value end) as series_grain,
        max(case when settings.attribute = 'exposure' then settings.value end) = 'true' as is_exposure,
        max(case when settings.attribute = 'level' then settings.value end) as series_level,
        max(case when settings.attribute = 'position' then try_cast(settings.value as integer) end) as series_position

    from settings
    inner join newest on settings.settings_id = newest.settings_id
    where settings.section = 'related_series'
    group by 1

),

final as (

    select
        series_name,
        is_known_future,
        weekly_aggregation,
        fill_rule,
        series_grain,
        is_exposure,
        series_level,
        series_position

    from register

)

select * from final
