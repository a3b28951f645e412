with

departments_judged as (

    select * from {{ ref('stg_retail__departments_judged') }}

),

final as (

    select
        department_id,
        department_name,
        category

    from departments_judged
    where row_status = 'accepted'

)

select * from final
