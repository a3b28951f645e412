{{ config(
    materialized='table',
    pre_hook="{{ refuse_empty_source([source('lake', 'raw_departments')]) }}"
) }}

with

raw_departments as (

    select * from {{ source('lake', 'raw_departments') }}

),

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

parsed as (

    select
        raw_departments.load_id,
        raw_departments.loaded_at,
        raw_departments.source_file,
        raw_departments.source_row,
        {{ normalised_key('raw_departments.department') }} as department_id,
        {{ trimmed('raw_departments.name') }} as department_name,
        {{ trimmed('raw_departments.category') }} as category,
        loads.delivery_id,
        loads.between_deliveries,
        loads.is_retracted

    from raw_departments
    inner join loads on raw_departments.load_id = loads.load_id

),

typed as (

    select
        parsed.*,
        case when coalesce(parsed.department_id, '') = '' then 'department_missing' end as reason

    from parsed

),

{{ judge_rows(['department_id']) }},

final as (

    select
        load_id,
        loaded_at,
        source_file,
        source_row,
        department_id,
        department_name,
        category,
        row_status,
        rejection_reason

    from judged

)

select * from final
