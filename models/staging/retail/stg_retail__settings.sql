{{ config(
    materialized='table',
    pre_hook="{{ refuse_empty_source([source('lake', 'settings')], only='mapping_name is not null') }}"
) }}

with

settings as (

    select * from {{ source('lake', 'settings') }}

),

newest as (

    {{ newest_settings('settings') }}

),

source_settings as (

    select
        settings.attribute,
        settings.value

    from settings
    inner join newest on settings.settings_id = newest.settings_id
    where settings.section = 'source'

),

one_row as (

    select
        max(case when attribute = 'mapping_name' then value end) as mapping_name,
        coalesce(max(case when attribute = 'grain' then value end), 'daily') as grain,
        coalesce(max(case when attribute = 'week_label' then value end), 'end') as week_label,
        coalesce(max(case when attribute = 'week_ends_on' then value end), 'saturday') as week_ends_on,
        coalesce(max(case when attribute = 'missing_means' then value end), 'unknown') as missing_means,
        coalesce(max(case when attribute = 'duplicates' then value end), 'reject') as duplicates,
        max(case when attribute = 'lower_bound' then try_cast(value as double) end) as lower_bound,
        coalesce(max(case when attribute = 'holiday_weight' then try_cast(value as double) end), 1e0)
            as holiday_weight,
        coalesce(max(case when attribute = 'fiscal_year_starts_in' then try_cast(value as integer) end), 1)
            as fiscal_year_starts_in,
        coalesce(max(case when attribute = 'calendar_region' then value end), 'US') as calendar_region

    from source_settings

),

final as (

    select
        mapping_name,
        grain,
        week_label,
        week_ends_on,
        case week_ends_on
            when 'monday' then date '2000-01-03'
            when 'tuesday' then date '2000-01-04'
            when 'wednesday' then date '2000-01-05'
            when 'thursday' then date '2000-01-06'
            when 'friday' then date '2000-01-07'
            when 'saturday' then date '2000-01-08'
            when 'sunday' then date '2000-01-09'
        end as week_anchor,
        missing_means,
        duplicates,
        lower_bound,
        holiday_weight,
        fiscal_year_starts_in,
        calendar_region

    from one_row

)

select * from final
