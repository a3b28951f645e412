with

renames as (

    select
        store_id,
        department_id,
        renamed_from

    from {{ ref('stg_retail__series_changes') }}
    where renamed_from <> ''

)

select
    earlier.renamed_from as oldest_name,
    later.renamed_from as middle_name,
    later.store_id,
    later.department_id

from renames as earlier
inner join renames as later
    on
        (
            earlier.department_id = ''
            and later.department_id = ''
            and earlier.store_id = later.renamed_from
        )
        or (
            earlier.department_id <> ''
            and later.department_id <> ''
            and earlier.department_id = later.renamed_from
            and (earlier.store_id = later.store_id or earlier.store_id = '' or later.store_id = '')
        )
