{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['run_id', 'item_id', 'week_end_date'],
    table_type='iceberg',
    on_schema_change='append_new_columns',
    pre_hook="{{ refuse_empty_source([ref('stg_forecasts__forecasts')]) }}"
) }}

-- They are merged, not appended: of two writers on Athena one fails instead of doubling rows.
-- What tests of the facts read beside them: depends_on: {{ ref('stg_forecasts__checked_runs') }}

with

forecasts as (

    select * from {{ ref('stg_forecasts__forecasts') }}

),

series as (

    select * from {{ ref('dim_series') }}

),

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

{% if is_incremental() and has_column(this, 'is_current') -%}
    known_runs as (

        select distinct
            run_id,
            is_current

        from {{ this }}

    ),

    -- New runs, and those that became the record of their cutoff or are it no longer.
    chosen_runs as (

        select runs.*
        from runs
        left join known_runs
            on
                runs.run_id = known_runs.run_id
                and runs.is_current = known_runs.is_current
        where known_runs.run_id is null

    ),

{% else -%}
    chosen_runs as (

        select * from runs

    ),

{% endif -%}
-- Runs of earlier versions have landed without keys.
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
        chosen_runs.batch_id,
        chosen_runs.kind,
        chosen_runs.is_current,
        chosen_runs.is_champion,
        coalesce(forecasts.store_id, series.store_id) as store_id,
        coalesce(forecasts.department_id, series.department_id) as department_id,
        forecasts.treatment

    from forecasts
    inner join chosen_runs on forecasts.run_id = chosen_runs.run_id
    left join series on forecasts.item_id = series.item_id

)

select * from final
