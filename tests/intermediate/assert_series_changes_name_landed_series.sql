with

series_changes as (

    select * from {{ ref('stg_retail__series_changes') }}

),

renames as (

    select * from {{ ref('stg_retail__series_renames') }}

),

series as (

    select * from {{ ref('int_sales__series') }}

),

stores as (

    select distinct store_id from series

),

departments as (

    select distinct department_id from series

),

series_keys as (

    select
        store_id,
        department_id

    from series

),

old_stores as (

    select distinct
        old_store_id,
        store_id

    from renames
    where store_id <> old_store_id

),

old_departments as (

    select distinct
        old_department_id,
        department_id

    from renames
    where department_id <> old_department_id

)

select
    series_changes.store_id,
    series_changes.department_id,
    series_changes.renamed_from,
    series_changes.closed_on,
    series_changes.is_still_sold

from series_changes
left join stores on series_changes.store_id = stores.store_id
left join departments on series_changes.department_id = departments.department_id
left join series_keys
    on
        series_changes.store_id = series_keys.store_id
        and series_changes.department_id = series_keys.department_id
left join old_stores
    on
        series_changes.department_id = ''
        and series_changes.renamed_from = old_stores.old_store_id
        and series_changes.store_id = old_stores.store_id
left join old_departments
    on
        series_changes.department_id <> ''
        and series_changes.renamed_from = old_departments.old_department_id
        and series_changes.department_id = old_departments.department_id
where
    (series_changes.store_id <> '' and series_changes.department_id = '' and stores.store_id is null)
    or (series_changes.store_id = '' and departments.department_id is null)
    or (series_changes.store_id <> '' and series_changes.department_id <> '' and series_keys.store_id is null)
    or (
        series_changes.renamed_from <> ''
        and old_stores.old_store_id is null
        and old_departments.old_department_id is null
    )
