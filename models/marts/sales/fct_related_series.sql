with

related_weekly as (

    select * from {{ ref('int_related__weekly') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

final as (

    select
        {{ item_id('related_weekly.store_id', 'related_weekly.department_id') }} as item_id,
        related_weekly.series_name,
        related_weekly.week_end_date,
        related_weekly.store_id,
        nullif(related_weekly.department_id, '') as department_id,
        related_weekly.series_value,
        not spine.is_complete as is_planned,
        related_weekly.is_filled

    from related_weekly
    inner join spine on related_weekly.week_idx = spine.week_idx
    where related_weekly.series_value is not null

)

select * from final
