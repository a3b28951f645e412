with

sales_judged as (

    select * from {{ ref('stg_retail__sales_judged') }}

),

loads as (

    select
        load_id,
        source_file,
        count(*) as n_rows,
        count_if(row_status = 'rejected') as n_rejected,
        min(rejection_reason) as example_reason

    from sales_judged
    group by 1, 2

)

select * from loads
where
    n_rows >= 100
    and 2 * n_rejected > n_rows
