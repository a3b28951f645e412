{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['run_id', 'item_id', 'week_end_date'],
    table_type='iceberg',
    on_schema_change='append_new_columns',
    pre_hook="""
        {% if should_full_refresh() %}
            {{ refuse_empty_source([ref('fct_forecast'), ref('fct_weekly_sales')]) }}
        {% endif %}
    """,
    post_hook="{{ delete_outdated_rows(ref('dim_forecast_run_week'), ref('stg_retail__loads'), 'inputs_digest') }}"
) }}

{% set made = this if is_incremental() and has_column(this, 'inputs_digest') else none -%}
{% set made_of = ['run_id', 'week_end_date', 'inputs_digest'] -%}
with

run_weeks as (

    select * from {{ ref('dim_forecast_run_week') }}

),

forecasts as (

    select * from {{ ref('fct_forecast') }}
    {{ of_due_runs(ref('dim_forecast_run_week'), made_of, made, ['run_id', 'naive_run_id']) }}

),

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

naive_errors as (

    select * from {{ ref('int_sales__naive_errors') }}

),

-- New runs and weeks, and those whose sales, weights, history or standing have changed since.
{{ due_rows('due_weeks', 'run_weeks', made_of, made) }},

due_naive_weeks as (

    select distinct
        naive_run_id,
        week_end_date

    from due_weeks

),

naive_forecasts as (

    select
        forecasts.run_id,
        forecasts.item_id,
        forecasts.week_end_date,
        forecasts.p50 as naive_p50

    from forecasts
    inner join due_naive_weeks
        on
            forecasts.run_id = due_naive_weeks.naive_run_id
            and forecasts.week_end_date = due_naive_weeks.week_end_date

),

-- Standing and digest are of one source, so that no build of a part can set them apart.
passed as (

    select
        forecasts.run_id,
        forecasts.item_id,
        forecasts.week_end_date,
        forecasts.model_id,
        forecasts.cutoff_date,
        forecasts.horizon_weeks,
        forecasts.mean,
        {{ quantile_columns('forecasts') }},
        forecasts.batch_id,
        forecasts.store_id,
        forecasts.department_id,
        forecasts.treatment,
        due_weeks.kind,
        due_weeks.is_current,
        due_weeks.is_champion,
        due_weeks.week_weight,
        due_weeks.naive_run_id,
        due_weeks.inputs_digest

    from forecasts
    inner join due_weeks
        on
            forecasts.run_id = due_weeks.run_id
            and forecasts.week_end_date = due_weeks.week_end_date

),

compared as (

    select
        passed.*,
        weekly_sales.sales as actual,
        naive_forecasts.naive_p50,
        naive_errors.seasonal_scale

    from passed
    left join weekly_sales
        on
            passed.item_id = weekly_sales.item_id
            and passed.week_end_date = weekly_sales.week_end_date
    left join naive_forecasts
        on
            passed.naive_run_id = naive_forecasts.run_id
            and passed.item_id = naive_forecasts.item_id
            and passed.week_end_date = naive_forecasts.week_end_date
    left join naive_errors
        on
            passed.item_id = naive_errors.item_id
            and passed.cutoff_date = naive_errors.week_end_date

),

final as (

    select
        run_id,
        item_id,
        week_end_date,
        model_id,
        cutoff_date,
        horizon_weeks,
        mean,
        {{ quantile_columns() }},
        actual,
        abs(actual - p50) as abs_error,
        power(actual - mean, 2) as squared_error,
        abs(actual) as abs_actual,
        week_weight,
        week_weight * abs(actual - p50) as weighted_abs_error,
        {{ pinball_loss('actual', 'p10', '0.1e0') }} as pinball_loss_p10,
        {{ pinball_loss('actual', 'p50', '0.5e0') }} as pinball_loss_p50,
        {{ pinball_loss('actual', 'p90', '0.9e0') }} as pinball_loss_p90,
        (
            {% for column, level in quantile_levels() if column not in ('p05', 'p95') -%}
                {{ pinball_loss('actual', column, level) }}{{ ' +' if not loop.last }}
            {% endfor -%}
        ) / 9e0 as pinball_loss_deciles,
        case when actual between p10 and p90 then 1 when actual is not null then 0 end as n_inside_p10_p90,
        naive_p50,
        abs(actual - naive_p50) as naive_abs_error,
        seasonal_scale,
        batch_id,
        kind,
        is_current,
        is_champion,
        store_id,
        department_id,
        treatment,
        inputs_digest

    from compared

)

select * from final
