with

departments as (

    select * from {{ ref('stg_retail__departments') }}

),

series as (

    select * from {{ ref('int_sales__series') }}

),

sold as (

    select
        department_id,
        count(*) as n_series

    from series
    group by 1

),

-- A source without a departments table still has its departments here.
final as (

    select
        coalesce(departments.department_id, sold.department_id) as department_id,
        coalesce(departments.department_name, departments.department_id, sold.department_id) as department_name,
        departments.category,
        coalesce(sold.n_series, 0) as n_series

    from departments
    full outer join sold on departments.department_id = sold.department_id

)

select * from final
