with

sales_judged as (

    select * from {{ ref('stg_retail__sales_judged') }}

),

final as (

    select
        load_id,
        store_id,
        department_id,
        sales_date,
        week_end_date,
        sales,
        is_holiday,
        is_stocked_out,
        row_problems

    from sales_judged
    where row_status = 'accepted'

)

select * from final
