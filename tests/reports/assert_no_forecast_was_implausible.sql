-- Older cutoffs have been told already.
with

fallback_items as (

    select * from {{ ref('rpt_fallback_items') }}
    where fallback_reason = 'implausible' and is_current and kind = 'live'

),

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

newest as (

    select max(cutoff_date) as cutoff_date
    from runs
    where kind = 'live' and is_current

)

select
    fallback_items.model_id,
    fallback_items.item_id,
    fallback_items.largest_forecast,
    fallback_items.largest_plausible

from fallback_items
inner join newest on fallback_items.cutoff_date = newest.cutoff_date
