with

rejected_rows as (

    select * from {{ ref('stg_retail__rejected_rows') }}

),

answered_rows as (

    select * from {{ ref('stg_retail__answered_rows') }}

),

-- What no later delivery has put right is still open, and makes the better example.
ranked as (

    select
        rejected_rows.*,
        answered_rows.load_id is null as is_open,
        row_number() over (
            partition by rejected_rows.table_name, rejected_rows.rejection_reason
            order by answered_rows.load_id is not null, rejected_rows.load_id desc, rejected_rows.source_row asc
        ) as example_rank

    from rejected_rows
    left join answered_rows
        on
            rejected_rows.table_name = answered_rows.table_name
            and rejected_rows.load_id = answered_rows.load_id
            and rejected_rows.source_row = answered_rows.source_row
            and rejected_rows.series_name = answered_rows.series_name

),

final as (

    select
        table_name,
        rejection_reason as reason,
        count(*) as n_rows,
        max(loaded_at) as newest_loaded_at,
        max(case when example_rank = 1 then source_file end) as example_source_file,
        max(case when example_rank = 1 then source_row end) as example_source_row,
        max(case when example_rank = 1 then row_text end) as example_value,
        cast(count_if(is_open) as bigint) as n_open_rows

    from ranked
    group by 1, 2

)

select * from final
