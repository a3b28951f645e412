with

related_weekly as (

    select * from {{ ref('int_related__weekly') }}

),

register as (

    select * from {{ ref('int_features__register') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

final as (

    select
        related_weekly.store_id,
        related_weekly.department_id,
        related_weekly.week_idx,
        count(*) as n_features

    from related_weekly
    inner join register
        on
            related_weekly.series_name = register.feature_name
            and register.feature_level <> 'chain'
    inner join spine on related_weekly.week_idx = spine.week_idx
    where
        spine.is_complete
        and related_weekly.series_value is null
    group by 1, 2, 3

)

select * from final
