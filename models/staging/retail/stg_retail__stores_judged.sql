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

parsed as (

    select
        raw_stores.load_id,
        raw_stores.loaded_at,
        raw_stores.source_file,
        raw_stores.source_row,
        {{ normalised_key('raw_stores.store') }} as store_id,
        {{ trimmed('raw_stores.type') }} as store_type,
        {{ to_number('raw_stores.size') }} as store_size,
        {{ trimmed('raw_stores.region') }} as region,
        {{ to_date('raw_stores.opened_on') }} as opened_on,
        {{ to_date('raw_stores.closed_on') }} as closed_on,
        raw_stores.size as size_text,
        raw_stores.opened_on as opened_on_text,
        raw_stores.closed_on as closed_on_text,
        loads.delivery_id,
        loads.between_deliveries,
        loads.is_retracted

    from raw_stores
    inner join loads on raw_stores.load_id = loads.load_id

),

-- A store with an attribute that cannot be read is a store all the same.
typed as (

    select
        parsed.*,
        {{ row_problems({
            'size_invalid': trimmed('parsed.size_text') ~ " <> '' and parsed.store_size is null",
            'opened_on_invalid': trimmed('parsed.opened_on_text') ~ " <> '' and parsed.opened_on is null",
            'closed_on_invalid': trimmed('parsed.closed_on_text') ~ " <> '' and parsed.closed_on is null",
        }) }} as row_problems,
        case when coalesce(parsed.store_id, '') = '' then 'store_missing' end as reason

    from parsed

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
        row_problems,
        row_status,
        rejection_reason

    from judged

)

select * from final
