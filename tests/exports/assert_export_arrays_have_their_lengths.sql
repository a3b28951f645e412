-- Targets are the series' own, up to the cutoff. Features of both exports are cut together, so those of the longer one
-- stand for both.
with

series as (

    select * from {{ ref('exp_series') }}
    where treatment in ('trained', 'inferred')

),

target_arrays as (

    select * from {{ ref('int_sales__target_arrays') }}

),

train as (

    select
        cutoff_date,
        item_id,
        series_start,
        target,
        cast(cardinality(target) as bigint) as n_target

    from {{ ref('exp_deepar__train') }}

),

inference as (

    select
        cutoff_date,
        item_id,
        series_start,
        target,
        cast(cardinality(target) as bigint) as n_target,
        cast(cardinality(dynamic_feat) as bigint) as n_features,
        cast(cardinality(dynamic_feat[1]) as bigint) as n_feature_weeks

    from {{ ref('exp_deepar__inference') }}

),

-- Their targets are of whole weeks: other numbers than what was sold.
shared as (

    select distinct
        cutoff_date,
        store_id,
        department_id,
        true as has_shares

    from {{ ref('exp_exposure_shares') }}

),

features as (

    select
        cutoff_date,
        count(*) as n_features

    from {{ ref('exp_features') }}
    group by 1

)

select
    series.cutoff_date,
    series.item_id,
    series.treatment,
    train.n_target as n_train_target,
    inference.n_target as n_inference_target,
    inference.n_features,
    inference.n_feature_weeks

from series
left join target_arrays on series.item_id = target_arrays.item_id
left join features on series.cutoff_date = features.cutoff_date
left join shared
    on
        series.cutoff_date = shared.cutoff_date
        and series.store_id = shared.store_id
        and shared.department_id in ('', series.department_id)
left join train
    on
        series.cutoff_date = train.cutoff_date
        and series.item_id = train.item_id
left join inference
    on
        series.cutoff_date = inference.cutoff_date
        and series.item_id = inference.item_id
where
    inference.n_target is distinct from series.n_weeks
    or coalesce(inference.n_features, 0) <> coalesce(features.n_features, 0)
    or (features.n_features > 0 and inference.n_feature_weeks is distinct from series.n_weeks + series.horizon_weeks)
    or (series.treatment = 'trained' and train.n_target is distinct from series.n_weeks)
    or (series.treatment = 'inferred' and train.item_id is not null)
    or (
        not coalesce(shared.has_shares, false)
        and inference.target is distinct from {{ array_part('target_arrays.target', '1', 'series.n_weeks') }}
    )
    or inference.series_start is distinct from cast(series.first_week_end_date as varchar) || ' 00:00:00'
    or (series.treatment = 'trained' and train.target is distinct from inference.target)
    or (series.treatment = 'trained' and train.series_start is distinct from inference.series_start)
