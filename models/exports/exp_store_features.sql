with

series as (

    select * from {{ ref('exp_series') }}
    where treatment in ('trained', 'inferred')

),

features as (

    select * from {{ ref('exp_features') }}
    where feature_level <> 'department'

),

feature_arrays as (

    select * from {{ ref('int_features__arrays') }}

),

-- Items of one store that start in the same week share their feature arrays: each is cut once.
spans as (

    select distinct
        cutoff_date,
        store_id,
        first_week_idx,
        n_weeks,
        n_weeks + horizon_weeks as n_weeks_to_horizon

    from series

),

final as (

    select
        spans.cutoff_date,
        spans.store_id,
        spans.first_week_idx,
        array_agg(
            {{ array_part('feature_arrays.feature_values', 'spans.first_week_idx + 1', 'spans.n_weeks') }}
            order by features.feature_idx
        ) as train_dynamic_feat,
        array_agg(
            {{ array_part('feature_arrays.feature_values', 'spans.first_week_idx + 1', 'spans.n_weeks_to_horizon') }}
            order by features.feature_idx
        ) as inference_dynamic_feat

    from spans
    inner join features on spans.cutoff_date = features.cutoff_date
    inner join feature_arrays
        on
            features.feature_idx = feature_arrays.feature_idx
            and feature_arrays.store_id in ('', spans.store_id)
    group by 1, 2, 3

)

select * from final
