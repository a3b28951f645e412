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

{% set made = this if is_incremental() and has_column(this, 'is_current') else none -%}
{% set standing = ['run_id', 'kind', 'is_current', 'is_champion'] -%}
with

forecasts as (

    select * from {{ ref('stg_forecasts__forecasts') }}
    {{ of_due_runs(ref('dim_forecast_run'), standing, made) }}

),

series as (

    select * from {{ ref('dim_series') }}

),

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

-- New runs, and those that became the record of their cutoff or are it no longer.
{{ due_rows('due_runs', 'runs', standing, made) }},

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
        due_runs.batch_id,
        due_runs.kind,
        due_runs.is_current,
        due_runs.is_champion,
        coalesce(forecasts.store_id, series.store_id) as store_id,
        coalesce(forecasts.department_id, series.department_id) as department_id,
        forecasts.treatment

    from forecasts
    inner join due_runs on forecasts.run_id = due_runs.run_id
    left join series on forecasts.item_id = series.item_id

)

select * from final
