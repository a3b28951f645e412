with

related_series_judged as (

    select * from {{ ref('stg_retail__related_series_judged') }}

),

final as (

    select
        store_id,
        department_id,
        series_name,
        series_date,
        week_end_date,
        series_value

    from related_series_judged
    where
        row_status = 'accepted'
        and series_value is not null

)

select * from final
