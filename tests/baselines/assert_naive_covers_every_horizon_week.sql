with

series as (

    select * from {{ ref('exp_series') }}
    where treatment <> 'ended' or coalesce(weeks_silent, 0) <= {{ var('zeros_for_weeks') }}

),

naive as (

    select
        cutoff_date,
        item_id,
        count(*) as n_weeks,
        min(horizon_weeks) as first_week,
        max(horizon_weeks) as last_week

    from {{ ref('baseline_snaive_52') }}
    group by 1, 2

)

select
    series.cutoff_date,
    series.item_id,
    naive.n_weeks,
    series.horizon_weeks

from series
left join naive
    on
        series.cutoff_date = naive.cutoff_date
        and series.item_id = naive.item_id
where
    naive.n_weeks is distinct from series.horizon_weeks
    or naive.first_week <> 1
    or naive.last_week is distinct from series.horizon_weeks
