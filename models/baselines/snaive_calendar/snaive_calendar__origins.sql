with

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

),

exposure as (

    select * from {{ ref('exp_exposure') }}

),

steps as (

    select numbers.n from (
        values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13)
    ) as numbers (n)

),

-- Before week 65 a season and a quarter are not yet known, and growth can hardly be told.
final as (

    select
        cutoffs.cutoff_date,
        coalesce(exposure.exposure_key, '') as exposure_key,
        cutoffs.cutoff_week_idx,
        cutoffs.horizon_weeks,
        cutoffs.cutoff_week_idx - 4 * steps.n as origin_week_idx,
        steps.n > 0 as is_backtest,
        steps.n between 1 and 9 as is_for_band

    from cutoffs
    cross join steps
    left join exposure on cutoffs.cutoff_date = exposure.cutoff_date
    where
        cutoffs.has_sales
        and (steps.n = 0 or cutoffs.cutoff_week_idx - 4 * steps.n >= 64)

)

select * from final
