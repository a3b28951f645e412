{{ config(meta={'help': 'A related series with known_future: true has no value in weeks that a forecast needs. Land the missing weeks, shorten --horizon, give the series a fill rule, or set known_future: false in the mapping.'}) }}

select
    cutoff_date,
    feature_name,
    store_id,
    department_id,
    n_items,
    n_missing_weeks,
    first_missing_week,
    last_missing_week

from {{ ref('exp_missing_features') }}
order by n_missing_weeks desc, store_id, department_id
