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
        count_if(row_status <> 'rejected' and row_problems like '%store_unknown%') as n_of_unknown_stores,
        min(rejection_reason) as example_reason

    from sales_judged
    group by 1, 2

)

select * from loads
where
    n_rows >= 100
    and 2 * (n_rejected + n_of_unknown_stores) > n_rows
