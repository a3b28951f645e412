-- DeepAR refuses a training set in which a code between 0 and the largest one does not occur.
with

categories as (

    select * from {{ ref('exp_categories') }}

),

counted as (

    select
        cutoff_date,
        cat_position,
        count(*) as n_codes,
        count(distinct code) as n_distinct_codes,
        min(code) as smallest_code,
        max(code) as largest_code

    from categories
    group by 1, 2

)

select * from counted
where
    smallest_code <> 0
    or largest_code <> n_codes - 1
    or n_distinct_codes <> n_codes
