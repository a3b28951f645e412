-- No rows lie in the lake uncounted because the record of their load is not there. What a killed ingest left is told
-- until its file has landed.
with

loads as (

    select * from {{ source('lake', 'raw_loads') }}

),

unrecorded as (

    select
        'raw_sales' as table_name,
        load_id,
        count(*) as n_rows,
        {{ rows_digest('raw_sales') }} as rows_digest

    from {{ source('lake', 'raw_sales') }}
    where load_id not in (select loads.load_id from loads)
    group by 1, 2
    union all
    select
        'raw_related' as table_name,
        load_id,
        count(*) as n_rows,
        {{ rows_digest('raw_related') }} as rows_digest

    from {{ source('lake', 'raw_related') }}
    where load_id not in (select loads.load_id from loads)
    group by 1, 2
    union all
    select
        'raw_stores' as table_name,
        load_id,
        count(*) as n_rows,
        {{ rows_digest('raw_stores') }} as rows_digest

    from {{ source('lake', 'raw_stores') }}
    where load_id not in (select loads.load_id from loads)
    group by 1, 2
    union all
    select
        'raw_departments' as table_name,
        load_id,
        count(*) as n_rows,
        {{ rows_digest('raw_departments') }} as rows_digest

    from {{ source('lake', 'raw_departments') }}
    where load_id not in (select loads.load_id from loads)
    group by 1, 2
    union all
    select
        'raw_series_changes' as table_name,
        load_id,
        count(*) as n_rows,
        {{ rows_digest('raw_series_changes') }} as rows_digest

    from {{ source('lake', 'raw_series_changes') }}
    where load_id not in (select loads.load_id from loads)
    group by 1, 2

),

-- Of loads of earlier versions, which have no digest, the number of rows says that it is the file.
landed_since as (

    select distinct unrecorded.load_id
    from unrecorded
    inner join loads
        on
            unrecorded.table_name = loads.table_name
            and unrecorded.n_rows = loads.n_rows
            and unrecorded.rows_digest = coalesce(loads.rows_digest, unrecorded.rows_digest)

)

select * from unrecorded
where load_id not in (select landed_since.load_id from landed_since)
