with

sales_judged as (

    select * from {{ ref('stg_retail__sales_judged') }}
    where row_status <> 'retracted'

),

reasons as (

    select
        load_id,
        source_file,
        rejection_reason,
        count(*) as n_rows,
        sum(count(*)) over (partition by load_id) as n_rows_of_load

    from sales_judged
    group by 1, 2, 3

)

select * from reasons
where
    rejection_reason is not null
    and 100 * n_rows > n_rows_of_load
