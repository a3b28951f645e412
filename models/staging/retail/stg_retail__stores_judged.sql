{{ config(
    materialized='table',
    pre_hook="{{ refuse_empty_source([source('lake', 'raw_stores')]) }}"
) }}

with

raw_stores as (

    select * from {{ source('lake', 'raw_stores') }}

),

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

typed as (

    select
        raw_stores.load_id,
        raw_stores.loaded_at,
        raw_stores.source_file,
        raw_stores.source_row,
        trim(raw_stores.store) as store_id,
        trim(raw_stores.type) as store_type,
        {{ to_number('raw_stores.size') }} as store_size,
        trim(raw_stores.region) as region,
        {{ to_date('raw_stores.opened_on') }} as opened_on,
        {{ to_date('raw_stores.closed_on') }} as closed_on,
        loads.delivery_id,
        loads.between_deliveries,
        loads.is_retracted,
        case
            when coalesce(trim(raw_stores.store), '') = '' then 'store_missing'
            when raw_stores.size is not null and {{ to_number('raw_stores.size') }} is null then 'size_invalid'
            when raw_stores.opened_on is not null and {{ to_date('raw_stores.opened_on') }} is null
                then 'opened_on_invalid'
            when raw_stores.closed_on is not null and {{ to_date('raw_stores.closed_on') }} is null
                then 'closed_on_invalid'
        end as reason

    from raw_stores
    inner join loads on raw_stores.load_id = loads.load_id

),

{{ judge_rows(['store_id']) }},

final as (

    select
        load_id,
        loaded_at,
        source_file,
        source_row,
        store_id,
        store_type,
        store_size,
        region,
        opened_on,
        closed_on,
        row_status,
        rejection_reason

    from judged

)

select * from final
