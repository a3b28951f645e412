with

calendar_features as (

    select * from {{ ref('int_features__calendar') }}

),

related_series_register as (

    select * from {{ ref('stg_retail__related_series_register') }}

),

calendar_features_left_out as (

    select * from {{ ref('calendar_features_left_out') }}

),

calendar_names as (

    select distinct feature_name from calendar_features

),

candidates as (

    select
        feature_name,
        'chain' as feature_level,
        1 as level_rank,
        0 as level_position

    from calendar_names
    union all
    select
        series_name as feature_name,
        series_level as feature_level,
        case when series_level = 'department' then 3 else 2 end as level_rank,
        series_position as level_position

    from related_series_register
    where is_known_future

),

-- Features of one array a chain come first and those of one array a series last: exports join them in that order.
final as (

    select
        candidates.feature_name,
        candidates.feature_level,
        cast(row_number() over (
            order by candidates.level_rank, candidates.level_position, candidates.feature_name
        ) - 1 as integer) as feature_idx

    from candidates
    left join calendar_features_left_out on candidates.feature_name = calendar_features_left_out.feature_name
    where calendar_features_left_out.feature_name is null

)

select * from final
