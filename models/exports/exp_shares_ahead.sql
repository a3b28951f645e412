{{ config(materialized='view') }}

with

series as (

    select * from {{ ref('exp_series') }}
    where treatment <> 'ended'

),

shares as (

    select * from {{ ref('exp_exposure_shares') }}

),

final as (

    select
        series.cutoff_date,
        series.item_id,
        cast(shares.week_idx - series.cutoff_week_idx as integer) as horizon_weeks,
        shares.week_share

    from series
    inner join shares
        on
            series.cutoff_date = shares.cutoff_date
            and series.store_id = shares.store_id
            and shares.department_id in ('', series.department_id)
            and series.cutoff_week_idx < shares.week_idx
    where shares.week_share <> 1e0

)

select * from final
