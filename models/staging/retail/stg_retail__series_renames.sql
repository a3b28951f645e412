{{ config(materialized='table') }}

with

series_changes as (

    select * from {{ ref('stg_retail__series_changes') }}

),

raw_sales as (

    select * from {{ source('lake', 'raw_sales') }}

),

raw_related as (

    select * from {{ source('lake', 'raw_related') }}

),

renames as (

    select
        store_id,
        department_id,
        renamed_from

    from series_changes
    where renamed_from <> ''

),

landed_keys as (

    select
        {{ normalised_key('raw_sales.store') }} as old_store_id,
        coalesce({{ normalised_key('raw_sales.department') }}, '') as old_department_id

    from raw_sales
    where exists (select 1 as one from renames)
    union
    select
        {{ normalised_key('raw_related.store') }} as old_store_id,
        coalesce({{ normalised_key('raw_related.department') }}, '') as old_department_id

    from raw_related
    where exists (select 1 as one from renames)

),

with_store as (

    select
        landed_keys.old_store_id,
        landed_keys.old_department_id,
        coalesce(renames.store_id, landed_keys.old_store_id) as store_id

    from landed_keys
    left join renames
        on
            landed_keys.old_store_id = renames.renamed_from
            and renames.department_id = ''

),

-- A department that got another name in one store only comes before one that got it in all.
with_department as (

    select
        with_store.old_store_id,
        with_store.old_department_id,
        with_store.store_id,
        coalesce(in_store.department_id, in_all.department_id, with_store.old_department_id) as department_id

    from with_store
    left join renames as in_store
        on
            with_store.old_department_id = in_store.renamed_from
            and with_store.store_id = in_store.store_id
            and in_store.department_id <> ''
    left join renames as in_all
        on
            with_store.old_department_id = in_all.renamed_from
            and in_all.store_id = ''
            and in_all.department_id <> ''

),

final as (

    select
        old_store_id,
        old_department_id,
        store_id,
        department_id

    from with_department
    where
        store_id <> old_store_id
        or department_id <> old_department_id

)

select * from final
