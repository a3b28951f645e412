with

register as (

    select * from {{ ref('int_features__register') }}

),

calendar_features as (

    select * from {{ ref('int_features__calendar') }}

),

related_weekly as (

    select * from {{ ref('int_related__weekly') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

chain_arrays as (

    select
        '' as store_id,
        '' as department_id,
        register.feature_name,
        register.feature_idx,
        register.feature_level,
        array_agg(calendar_features.feature_value order by calendar_features.week_idx) as feature_values

    from register
    inner join calendar_features on register.feature_name = calendar_features.feature_name
    where register.feature_level = 'chain'
    group by 1, 2, 3, 4, 5

),

related_keys as (

    select distinct
        store_id,
        department_id,
        series_name

    from related_weekly

),

-- Every array starts at week 0 and ends with the spine, so that one position is one week in all of them.
related_arrays as (

    select
        related_keys.store_id,
        related_keys.department_id,
        register.feature_name,
        register.feature_idx,
        register.feature_level,
        array_agg(round(related_weekly.series_value, 6) order by spine.week_idx) as feature_values

    from related_keys
    inner join register on related_keys.series_name = register.feature_name
    cross join spine
    left join related_weekly
        on
            related_keys.store_id = related_weekly.store_id
            and related_keys.department_id = related_weekly.department_id
            and related_keys.series_name = related_weekly.series_name
            and spine.week_idx = related_weekly.week_idx
    group by 1, 2, 3, 4, 5

),

final as (

    select * from chain_arrays
    union all
    select * from related_arrays

)

select * from final
