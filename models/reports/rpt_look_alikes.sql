with

look_alikes as (

    select * from {{ ref('stg_retail__look_alikes') }}

),

final as (

    select
        key_name,
        spelling,
        spellings,
        table_names,
        n_sales_rows,
        sales,
        first_sales_date,
        last_sales_date

    from look_alikes

)

select * from final
