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

closed_weeks as (

    select * from {{ ref('int_features__closed_weeks') }}

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

related_weeks as (

    select
        related_keys.store_id,
        related_keys.department_id,
        related_keys.series_name,
        spine.week_idx,
        not spine.is_complete and closed_weeks.store_id is null as is_asked_for,
        round(related_weekly.series_value, 6) as feature_value

    from related_keys
    cross join spine
    left join related_weekly
        on
            related_keys.store_id = related_weekly.store_id
            and related_keys.department_id = related_weekly.department_id
            and related_keys.series_name = related_weekly.series_name
            and spine.week_idx = related_weekly.week_idx
    left join closed_weeks
        on
            related_keys.store_id = closed_weeks.store_id
            and related_keys.department_id = closed_weeks.department_id
            and spine.week_idx = closed_weeks.week_idx

),

with_last_known as (

    select
        *,
        {{ last_known('feature_value', 'store_id, department_id, series_name', 'week_idx') }} as last_known_value

    from related_weeks

),

-- Every array starts at week 0 and ends with the spine, so that one position is one week in all of them. A model takes
-- no gaps: in a past week it reads the value before, and the target of that week is masked; those closed land as 0.
related_arrays as (

    select
        with_last_known.store_id,
        with_last_known.department_id,
        register.feature_name,
        register.feature_idx,
        register.feature_level,
        array_agg(
            case
                when with_last_known.is_asked_for then with_last_known.feature_value
                else coalesce(with_last_known.feature_value, with_last_known.last_known_value, 0e0)
            end
            order by with_last_known.week_idx
        ) as feature_values

    from with_last_known
    inner join register on with_last_known.series_name = register.feature_name
    group by 1, 2, 3, 4, 5

),

final as (

    select * from chain_arrays
    union all
    select * from related_arrays

)

select * from final
