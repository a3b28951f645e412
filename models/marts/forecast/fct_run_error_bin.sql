{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['run_id', 'error_bin'],
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

{{ due_rows('due_runs', 'run_inputs', made_of, made) }},

-- Sums are stamped with what they were made of, which a build of a part may have left behind.
read_weeks as (

    select distinct
        compared.run_id,
        compared.week_end_date,
        compared.inputs_digest

    from compared
    inner join due_runs on compared.run_id = due_runs.run_id

),

read_runs as (

    select
        run_id,
        cast({{ digest_of_digests('inputs_digest') }} as bigint) as run_inputs_digest

    from read_weeks
    group by run_id

),

relative_errors as (

    select
        compared.run_id,
        compared.abs_error,
        compared.abs_actual,
        compared.p50 - compared.actual as error,
        {{ safe_divide('compared.p50 - compared.actual', 'compared.abs_actual') }} as relative_error,
        read_runs.run_inputs_digest

    from compared
    inner join read_runs on compared.run_id = read_runs.run_id
    where compared.actual is not null

),

-- Bins of ten per cent of the actual; everything beyond twice the actual shares the last one, and whatever is forecast
-- where nothing sold is beyond.
binned as (

    select
        *,
        case
            when relative_error < -1e0 or (relative_error is null and error < 0e0) then -1.1e0
            when relative_error >= 1e0 or (relative_error is null and error > 0e0) then 1e0
            when relative_error is null then 0e0
            else floor(relative_error * 10) / 10
        end as error_bin

    from relative_errors

),

final as (

    select
        run_id,
        error_bin,
        count(*) as n_rows,
        sum(abs_error) as sum_abs_error,
        sum(abs_actual) as sum_abs_actual,
        run_inputs_digest

    from binned
    group by run_id, error_bin, run_inputs_digest

)

select * from final
