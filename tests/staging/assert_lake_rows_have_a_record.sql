-- No rows lie in the lake uncounted because the record of their load is not there. What a killed ingest left is told
-- until its file has landed.
with

loads as (

    select * from {{ source('lake', 'raw_loads') }}

),

found as (

    {{ digests_by_load() }}
),

unrecorded as (

    select * from found
    where load_id not in (select loads.load_id from loads)

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
