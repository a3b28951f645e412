{{ config(
    materialized='table',
    pre_hook="{{ refuse_empty_source([source('lake', 'raw_series_changes')]) }}"
) }}

with

raw_series_changes as (

    select * from {{ source('lake', 'raw_series_changes') }}

),

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

parsed as (

    select
        raw_series_changes.load_id,
        raw_series_changes.loaded_at,
        raw_series_changes.source_file,
        raw_series_changes.source_row,
        coalesce({{ normalised_key('raw_series_changes.store') }}, '') as store_id,
        coalesce({{ normalised_key('raw_series_changes.department') }}, '') as department_id,
        coalesce({{ normalised_key('raw_series_changes.renamed_from') }}, '') as renamed_from,
        raw_series_changes.closed_on as closed_on_text,
        raw_series_changes.still_sold as still_sold_text,
        {{ to_date('raw_series_changes.closed_on') }} as closed_on,
        {{ to_boolean('raw_series_changes.still_sold') }} as is_still_sold,
        loads.delivery_id,
        loads.between_deliveries,
        loads.is_retracted

    from raw_series_changes
    inner join loads on raw_series_changes.load_id = loads.load_id

),

-- What a row is about: an old store, an old department of a store or of all, or the series that it names.
keyed as (

    select
        parsed.*,
        case
            when parsed.renamed_from <> '' and parsed.department_id = '' then 'store'
            when parsed.renamed_from <> '' then 'department'
            else 'series'
        end as subject,
        case
            when parsed.renamed_from <> '' and parsed.department_id = '' then parsed.renamed_from
            else parsed.store_id
        end as subject_store_id,
        case
            when parsed.renamed_from <> '' and parsed.department_id <> '' then parsed.renamed_from
            else parsed.department_id
        end as subject_department_id,
        case when parsed.department_id = '' then parsed.store_id else parsed.department_id end as renamed_to

    from parsed

),

compared as (

    select
        keyed.*,
        min(keyed.renamed_to) over (
            partition by keyed.delivery_id, keyed.subject, keyed.subject_store_id, keyed.subject_department_id
        ) as first_renamed_to,
        max(keyed.renamed_to) over (
            partition by keyed.delivery_id, keyed.subject, keyed.subject_store_id, keyed.subject_department_id
        ) as last_renamed_to

    from keyed

),

typed as (

    select
        compared.*,
        case
            when compared.store_id = '' and compared.department_id = '' then 'series_missing'
            when compared.closed_on_text is not null and compared.closed_on is null then 'closed_on_invalid'
            when compared.still_sold_text is not null and compared.is_still_sold is null then 'still_sold_invalid'
            when compared.renamed_from = '' and compared.closed_on is null and compared.is_still_sold is null
                then 'change_missing'
            when compared.renamed_from = compared.renamed_to then 'renamed_onto_itself'
            when compared.renamed_from <> '' and compared.first_renamed_to <> compared.last_renamed_to
                then 'renamed_to_two_names'
        end as reason

    from compared

),

{{ judge_rows(['subject', 'subject_store_id', 'subject_department_id']) }},

final as (

    select
        load_id,
        loaded_at,
        source_file,
        source_row,
        store_id,
        department_id,
        renamed_from,
        subject,
        subject_store_id,
        subject_department_id,
        closed_on,
        is_still_sold,
        row_status,
        rejection_reason

    from judged

)

select * from final
