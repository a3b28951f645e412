with

series as (

    select * from {{ ref('exp_series') }}

),

features as (

    select * from {{ ref('exp_features') }}

),

related_weekly as (

    select * from {{ ref('int_related__weekly') }}

),

closed_weeks as (

    select * from {{ ref('int_features__closed_weeks') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

-- A series of a whole store is asked for once a store, from the first week of its first item.
needed as (

    select
        series.cutoff_date,
        features.feature_name,
        series.store_id,
        case when features.feature_level = 'department' then series.department_id else '' end as department_id,
        min(series.item_id) as example_item_id,
        count(*) as n_items,
        min(series.first_week_idx) as first_week_idx,
        max(series.cutoff_week_idx + series.horizon_weeks) as last_week_idx

    from series
    inner join features
        on
            series.cutoff_date = features.cutoff_date
            and features.feature_level <> 'chain'
    where series.treatment in ('trained', 'inferred')
    group by 1, 2, 3, 4

),

needed_weeks as (

    select
        needed.*,
        spine.week_end_date,
        related_weekly.series_value,
        case when spine.week_end_date > needed.cutoff_date then 'horizon' else 'past' end as place

    from needed
    inner join spine on spine.week_idx between needed.first_week_idx and needed.last_week_idx
    left join related_weekly
        on
            needed.feature_name = related_weekly.series_name
            and needed.store_id = related_weekly.store_id
            and needed.department_id = related_weekly.department_id
            and spine.week_idx = related_weekly.week_idx
    left join closed_weeks
        on
            needed.store_id = closed_weeks.store_id
            and needed.department_id = closed_weeks.department_id
            and spine.week_idx = closed_weeks.week_idx
    where closed_weeks.store_id is null

),

counted as (

    select
        cutoff_date,
        feature_name,
        store_id,
        department_id,
        place,
        min(example_item_id) as example_item_id,
        max(n_items) as n_items,
        count(*) as n_weeks,
        count_if(series_value is null) as n_missing_weeks,
        min(case when series_value is null then week_end_date end) as first_missing_week,
        max(case when series_value is null then week_end_date end) as last_missing_week

    from needed_weeks
    group by 1, 2, 3, 4, 5

),

final as (

    select
        cutoff_date,
        feature_name,
        store_id,
        department_id,
        place,
        example_item_id,
        n_items,
        n_missing_weeks,
        first_missing_week,
        last_missing_week,
        n_missing_weeks = n_weeks as is_whole_place

    from counted
    where n_missing_weeks > 0

)

select * from final
