with

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

run_accuracy as (

    select * from {{ ref('fct_run_accuracy') }}

),

-- A model has one current run of a kind at a cutoff.
sums as (

    select
        runs.kind,
        runs.model_id,
        runs.cutoff_date,
        run_accuracy.*

    from run_accuracy
    inner join runs on run_accuracy.run_id = runs.run_id
    where runs.is_current

),

final as (

    select
        kind,
        model_id,
        cutoff_date,
        level,
        horizon_band,
        n_rows,
        sum_abs_error,
        sum_abs_actual,
        sum_squared_error,
        sum_weighted_abs_error,
        sum_week_weight,
        sum_pinball_loss_p10,
        sum_pinball_loss_p50,
        sum_pinball_loss_p90,
        sum_pinball_loss_deciles,
        n_inside_p10_p90,
        n_with_band,
        sum_error,
        sum_naive_abs_error,
        sum_abs_error_with_naive,
        sum_scaled_abs_error,
        n_rows_with_scale,
        {{ safe_divide('sum_abs_error', 'sum_abs_actual') }} as wape,
        2e0 * {{ safe_divide(
            'sum_pinball_loss_p10 + sum_pinball_loss_p50 + sum_pinball_loss_p90', '3 * sum_abs_actual'
        ) }} as wql_3,
        2e0 * {{ safe_divide('sum_pinball_loss_deciles', 'sum_abs_actual') }} as wql_9,
        sqrt({{ safe_divide('sum_squared_error', 'n_rows') }}) as rmse,
        {{ safe_divide('sum_scaled_abs_error', 'n_rows_with_scale') }} as mase,
        {{ safe_divide('sum_weighted_abs_error', 'sum_week_weight') }} as wmae,
        {{ safe_divide('n_inside_p10_p90', 'n_with_band') }} as coverage,
        {{ safe_divide('sum_error', 'sum_abs_actual') }} as bias,
        1e0 - {{ safe_divide('sum_abs_error_with_naive', 'sum_naive_abs_error') }} as value_added,
        n_forecast_rows,
        n_forecast_rows - n_rows as n_rows_without_actual,
        sum_p50_without_actual

    from sums

)

select * from final
