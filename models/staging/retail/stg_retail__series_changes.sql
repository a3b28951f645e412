with

series_changes_judged as (

    select * from {{ ref('stg_retail__series_changes_judged') }}

),

final as (

    select
        store_id,
        department_id,
        renamed_from,
        closed_on,
        coalesce(is_still_sold, false) as is_still_sold

    from series_changes_judged
    where row_status = 'accepted'

)

select * from final
