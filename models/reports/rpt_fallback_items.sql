with

fallback_items as (

    select * from {{ ref('stg_forecasts__fallback_items') }}

),

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

final as (

    select
        fallback_items.run_id,
        runs.model_id,
        runs.kind,
        runs.cutoff_date,
        fallback_items.item_id,
        fallback_items.fallback_reason,
        fallback_items.largest_forecast,
        fallback_items.largest_plausible,
        runs.is_current

    from fallback_items
    inner join runs on fallback_items.run_id = runs.run_id

)

select * from final
