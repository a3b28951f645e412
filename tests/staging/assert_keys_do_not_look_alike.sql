with

look_alikes as (

    select * from {{ ref('stg_retail__look_alikes') }}

)

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
order by key_name desc, spellings asc, spelling asc
