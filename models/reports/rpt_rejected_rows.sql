with

rejected_rows as (

    select * from {{ ref('stg_retail__rejected_rows') }}

),

ranked as (

    select
        rejected_rows.*,
        row_number() over (
            partition by rejected_rows.table_name, rejected_rows.rejection_reason
            order by rejected_rows.load_id desc, rejected_rows.source_row asc
        ) as example_rank

    from rejected_rows

),

final as (

    select
        table_name,
        rejection_reason as reason,
        count(*) as n_rows,
        max(loaded_at) as newest_loaded_at,
        max(case when example_rank = 1 then source_file end) as example_source_file,
        max(case when example_rank = 1 then source_row end) as example_source_row,
        max(case when example_rank = 1 then row_text end) as example_value

    from ranked
    group by 1, 2

)

select * from final
