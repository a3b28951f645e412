{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['run_id', 'level', 'horizon_band'],
    table_type='iceberg',
    on_schema_change='append_new_columns',
    post_hook="{{ delete_outdated_rows(ref('dim_forecast_run_week'), ref('stg_retail__loads'), 'run_inputs_digest') }}"
) }}

{% set made = this if is_incremental() and has_column(this, 'run_inputs_digest') else none -%}
{% set made_of = ['run_id', 'run_inputs_digest'] -%}
with

run_inputs as (

    select distinct
        run_id,
        run_inputs_digest

    from {{ ref('dim_forecast_run_week') }}

),

compared as (

    select * from {{ ref('fct_forecast_vs_actual') }}
    {{ of_due_runs(ref('dim_forecast_run_week'), made_of, made) }}

),

compared_aggregates as (

    select * from {{ ref('fct_forecast_vs_actual_aggregate') }}
    {{ of_due_runs(ref('dim_forecast_run_week'), made_of, made) }}

),

{{ due_rows('due_runs', 'run_inputs', made_of, made) }},

-- Sums are stamped with what they were made of, which a build of a part may have left behind.
read_weeks as (

    select
        compared.run_id,
        compared.week_end_date,
        compared.inputs_digest

    from compared
    inner join due_runs on compared.run_id = due_runs.run_id
    union distinct
    select
        compared_aggregates.run_id,
        compared_aggregates.week_end_date,
        compared_aggregates.inputs_digest

    from compared_aggregates
    inner join due_runs on compared_aggregates.run_id = due_runs.run_id

),

read_runs as (

    select
        run_id,
        cast({{ digest_of_digests('inputs_digest') }} as bigint) as run_inputs_digest

    from read_weeks
    group by run_id

),

levels as (

    {% set parts -%}
        run_id, horizon_weeks, actual, p50, p10, abs_error, abs_actual, squared_error, week_weight,
        weighted_abs_error, pinball_loss_p10, pinball_loss_p50, pinball_loss_p90, pinball_loss_deciles,
        n_inside_p10_p90, naive_abs_error, seasonal_scale
    {%- endset -%}
    select
        'store-department' as level,
        case when actual is null then p50 end as p50_without_actual,
        {{ parts }}

    from compared
    union all
    select
        level,
        p50_without_actual,
        {{ parts }}

    from compared_aggregates

),

banded as (

    select
        levels.*,
        read_runs.run_inputs_digest,
        case
            when levels.horizon_weeks <= 4 then '1-4'
            when levels.horizon_weeks <= 13 then '5-13'
            when levels.horizon_weeks <= 26 then '14-26'
            else '27+'
        end as horizon_band,
        {{ safe_divide('levels.abs_error', 'levels.seasonal_scale') }} as scaled_abs_error

    from levels
    inner join read_runs on levels.run_id = read_runs.run_id

),

-- Rows without an actual are in no error; they and their forecast are counted.
final as (

    select
        run_id,
        level,
        horizon_band,
        count(*) as n_forecast_rows,
        count(actual) as n_rows,
        coalesce(sum(p50_without_actual), 0e0) as sum_p50_without_actual,
        sum(abs_error) as sum_abs_error,
        sum(abs_actual) as sum_abs_actual,
        sum(squared_error) as sum_squared_error,
        sum(weighted_abs_error) as sum_weighted_abs_error,
        sum(case when actual is not null then week_weight end) as sum_week_weight,
        sum(pinball_loss_p10) as sum_pinball_loss_p10,
        sum(pinball_loss_p50) as sum_pinball_loss_p50,
        sum(pinball_loss_p90) as sum_pinball_loss_p90,
        sum(pinball_loss_deciles) as sum_pinball_loss_deciles,
        cast(sum(n_inside_p10_p90) as bigint) as n_inside_p10_p90,
        count(n_inside_p10_p90) as n_with_band,
        sum(p50 - actual) as sum_error,
        sum(naive_abs_error) as sum_naive_abs_error,
        sum(case when naive_abs_error is not null then abs_error end) as sum_abs_error_with_naive,
        sum(scaled_abs_error) as sum_scaled_abs_error,
        count(scaled_abs_error) as n_rows_with_scale,
        run_inputs_digest

    from banded
    group by run_id, level, horizon_band, run_inputs_digest

)

select * from final
