with

forecasts as (

    select * from {{ source('lake', 'forecasts') }}

),

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

-- Rows of a run count once the run is landed.
final as (

    select
        forecasts.run_id,
        forecasts.item_id,
        forecasts.week_end_date,
        forecasts.model_id,
        forecasts.cutoff_date,
        forecasts.horizon_weeks,
        forecasts.mean,
        {{ quantile_columns('forecasts') }},
        forecasts.store_id,
        forecasts.department_id,
        forecasts.treatment

    from forecasts
    inner join runs on forecasts.run_id = runs.run_id

)

select * from final
