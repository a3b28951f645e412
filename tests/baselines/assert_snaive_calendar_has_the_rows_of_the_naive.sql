with

naive as (

    select
        cutoff_date,
        item_id,
        horizon_weeks

    from {{ ref('baseline_snaive_52') }}

),

snaive_calendar as (

    select
        cutoff_date,
        item_id,
        horizon_weeks,
        mean

    from {{ ref('baseline_snaive_calendar') }}

)

select
    naive.cutoff_date,
    naive.item_id,
    naive.horizon_weeks,
    snaive_calendar.mean

from naive
full outer join snaive_calendar
    on
        naive.cutoff_date = snaive_calendar.cutoff_date
        and naive.item_id = snaive_calendar.item_id
        and naive.horizon_weeks = snaive_calendar.horizon_weeks
where
    naive.item_id is null
    or snaive_calendar.mean is null
    or abs(snaive_calendar.mean) >= 1e300
