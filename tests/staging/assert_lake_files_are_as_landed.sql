-- Each load has the rows in the lake, and in them the values, that were counted when it landed.
with

loads as (

    select
        load_id,
        table_name,
        source_file,
        n_rows,
        rows_digest

    from {{ source('lake', 'raw_loads') }}

),

found as (

    {{ digests_by_load() }}
)

select
    loads.load_id,
    loads.table_name,
    loads.source_file,
    loads.n_rows as n_landed,
    found.n_rows as n_found,
    loads.rows_digest as digest_landed,
    found.rows_digest as digest_found

from loads
left join found
    on
        loads.load_id = found.load_id
        and loads.table_name = found.table_name
where
    loads.n_rows is distinct from found.n_rows
    or loads.rows_digest <> found.rows_digest
