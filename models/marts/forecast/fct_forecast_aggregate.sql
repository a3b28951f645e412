{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['run_id', 'level', 'item_id', 'week_end_date'],
    table_type='iceberg',
    on_schema_change='append_new_columns'
) }}

{% set made = this if is_incremental() and has_column(this, 'sum_p50') else none -%}
{% set standing = ['run_id', 'kind', 'is_current', 'is_champion'] -%}
with

forecasts as (

    select * from {{ ref('fct_forecast') }}
    {{ of_due_runs(ref('dim_forecast_run'), standing, made) }}

),

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

total_bands as (

    select * from {{ ref('stg_forecasts__total_bands') }}
    {{ of_due_runs(ref('dim_forecast_run'), standing, made) }}

),

levels as (

    {{ aggregate_levels() }}

),

-- New runs, and those that became the record of their cutoff or are it no longer.
{{ due_rows('due_runs', 'runs', standing, made) }},

located as (

    select
        forecasts.run_id,
        forecasts.model_id,
        forecasts.cutoff_date,
        forecasts.week_end_date,
        forecasts.horizon_weeks,
        forecasts.batch_id,
        forecasts.kind,
        forecasts.is_current,
        forecasts.is_champion,
        forecasts.mean,
        {{ quantile_columns('forecasts') }},
        levels.level,
        {{ store_at_level('levels.level', 'forecasts.store_id') }} as store_id,
        {{ department_at_level('levels.level', 'forecasts.department_id') }} as department_id

    from forecasts
    inner join due_runs on forecasts.run_id = due_runs.run_id
    cross join levels
    where forecasts.store_id is not null

),

summed as (

    select
        run_id,
        model_id,
        cutoff_date,
        week_end_date,
        horizon_weeks,
        level,
        store_id,
        department_id,
        batch_id,
        kind,
        is_current,
        is_champion,
        count(*) as n_items,
        sum(mean) as mean,
        {{ total_quantile_sums() }}

    from located
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

),

named as (

    select
        *,
        {{ aggregate_item_id('store_id', 'department_id') }} as item_id

    from summed

),

-- Runs that learned nothing of their totals have no bands of them.
banded as (

    select
        named.*,
        {{ learned_columns('total_bands', 'named') }}

    from named
    left join total_bands
        on
            named.run_id = total_bands.run_id
            and named.level = total_bands.level
            and named.item_id = total_bands.item_id
            and named.week_end_date = total_bands.week_end_date

),

final as (

    select
        run_id,
        level,
        item_id,
        week_end_date,
        model_id,
        cutoff_date,
        horizon_weeks,
        n_items,
        mean,
        {{ total_quantile_columns('level', 'n_items', 'mean', 'learned_share') }},
        batch_id,
        kind,
        is_current,
        is_champion,
        store_id,
        department_id,
        sum_p50

    from banded

)

select * from final
