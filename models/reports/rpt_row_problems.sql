with

row_problems as (

    select * from {{ ref('stg_retail__row_problems') }}

),

ranked as (

    select
        row_problems.*,
        row_number() over (
            partition by row_problems.table_name, row_problems.problem
            order by row_problems.load_id desc, row_problems.source_row asc
        ) as example_rank

    from row_problems

),

final as (

    select
        table_name,
        problem,
        count(*) as n_rows,
        cast(sum(cast(sales as decimal(18, 4))) as double) as sales,
        max(loaded_at) as newest_loaded_at,
        max(case when example_rank = 1 then source_file end) as example_source_file,
        max(case when example_rank = 1 then source_row end) as example_source_row,
        max(case when example_rank = 1 then row_text end) as example_value

    from ranked
    group by 1, 2

)

select * from final
