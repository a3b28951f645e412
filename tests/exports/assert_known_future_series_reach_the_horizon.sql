with

missing_features as (

    select * from {{ ref('exp_missing_features') }}

)

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
    last_missing_week

from missing_features
where place = 'horizon' or is_whole_place
order by n_missing_weeks desc, store_id asc, department_id asc
