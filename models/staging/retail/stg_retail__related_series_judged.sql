{{ config(
    materialized='table',
    pre_hook="{{ refuse_empty_source([source('lake', 'raw_related')]) }}"
) }}

with

raw_related as (

    select * from {{ source('lake', 'raw_related') }}

),

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

renames as (

    select * from {{ ref('stg_retail__series_renames') }}

),

register as (

    select * from {{ ref('stg_retail__related_series_register') }}

),

plausible_dates as (

    select
        min(first_date) as first_date,
        max(last_date) as last_date

    from {{ ref('stg_retail__plausible_dates') }}
    where table_name = 'raw_related'

),

parsed as (

    select
        raw_related.load_id,
        raw_related.loaded_at,
        raw_related.source_file,
        raw_related.source_row,
        {{ normalised_key('raw_related.store') }} as landed_store_id,
        coalesce({{ normalised_key('raw_related.department') }}, '') as landed_department_id,
        coalesce(raw_related.series_name, '') as series_name,
        raw_related.date as date_text,
        raw_related.value as value_text,
        raw_related.unreadable_line,
        {{ to_date('raw_related.date') }} as label_date,
        {{ to_number('raw_related.value') }} as series_value,
        loads.delivery_id,
        loads.between_deliveries,
        loads.is_retracted

    from raw_related
    inner join loads on raw_related.load_id = loads.load_id

),

dated as (

    select
        parsed.*,
        coalesce(renames.store_id, parsed.landed_store_id) as store_id,
        coalesce(renames.department_id, parsed.landed_department_id) as department_id,
        -- The first day of a week and each of its days lie in it, so a file of either grain needs no shift.
        parsed.label_date as series_date,
        settings.week_anchor

    from parsed
    cross join settings
    left join renames
        on
            parsed.landed_store_id = renames.old_store_id
            and parsed.landed_department_id = renames.old_department_id

),

typed as (

    select
        dated.load_id,
        dated.loaded_at,
        dated.source_file,
        dated.source_row,
        dated.store_id,
        dated.department_id,
        dated.series_name,
        dated.series_date,
        {{ week_end('dated.series_date', 'dated.week_anchor') }} as week_end_date,
        dated.series_value,
        dated.delivery_id,
        dated.between_deliveries,
        dated.is_retracted,
        case
            when dated.unreadable_line is not null then 'line_unreadable'
            when coalesce(dated.store_id, '') = '' then 'store_missing'
            when dated.date_text is null then 'date_missing'
            when dated.series_date is null then 'date_invalid'
            when dated.series_date < date '1990-01-01' or dated.series_date >= date '2100-01-01'
                then 'date_out_of_range'
            when not dated.label_date between plausible_dates.first_date and plausible_dates.last_date
                then 'date_far_from_the_rest'
            when register.series_name is null then 'series_not_registered'
            when dated.value_text is not null and dated.series_value is null then 'value_invalid'
            when abs(dated.series_value) >= 1e13 then 'value_out_of_range'
        end as reason

    from dated
    cross join plausible_dates
    left join register on dated.series_name = register.series_name

),

{{ judge_rows(
    ['store_id', 'department_id', 'series_name', 'series_date'],
    row=['load_id', 'source_row', 'series_name']
) }},

final as (

    select
        load_id,
        loaded_at,
        source_file,
        source_row,
        store_id,
        department_id,
        series_name,
        series_date,
        week_end_date,
        series_value,
        row_status,
        rejection_reason

    from judged

)

select * from final
