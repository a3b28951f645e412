with

series as (

    select * from {{ ref('exp_series') }}

),

final as (

    select distinct
        cutoff_date,
        0 as cat_position,
        store_code as code,
        store_id as category_value

    from series
    where treatment = 'trained'
    union all
    select distinct
        cutoff_date,
        1 as cat_position,
        department_code as code,
        department_id as category_value

    from series
    where treatment = 'trained'

)

select * from final
