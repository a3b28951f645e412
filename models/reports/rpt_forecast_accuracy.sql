with

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

compared as (

    select * from {{ ref('fct_forecast_vs_actual') }}

),

compared_aggregates as (

    select * from {{ ref('fct_forecast_vs_actual_aggregate') }}

),

levels as (

    {% set parts -%}
        run_id, item_id, horizon_weeks, actual, p50, p10, abs_error, abs_actual, squared_error, week_weight,
        weighted_abs_error, pinball_loss_p10, pinball_loss_p50, pinball_loss_p90, pinball_loss_deciles,
        n_inside_p10_p90, naive_abs_error, seasonal_scale
    {%- endset -%}
    select
        'store-department' as level,
        {{ parts }}

    from compared
    where actual is not null
    union all
    select
        level,
        {{ parts }}

    from compared_aggregates

),

banded as (

    select
        runs.kind,
        runs.model_id,
        runs.cutoff_date,
        case
            when levels.horizon_weeks <= 4 then '1-4'
            when levels.horizon_weeks <= 13 then '5-13'
            when levels.horizon_weeks <= 26 then '14-26'
            else '27+'
        end as horizon_band,
        levels.*

    from levels
    inner join runs on levels.run_id = runs.run_id
    where runs.is_current

),

-- MASE is a mean over series, so each series is summed up first.
item_sums as (

    select
        kind,
        model_id,
        cutoff_date,
        level,
        horizon_band,
        item_id,
        count(*) as n_rows,
        sum(abs_error) as sum_abs_error,
        sum(abs_actual) as sum_abs_actual,
        sum(squared_error) as sum_squared_error,
        sum(weighted_abs_error) as sum_weighted_abs_error,
        sum(week_weight) as sum_week_weight,
        sum(pinball_loss_p10) as sum_pinball_loss_p10,
        sum(pinball_loss_p50) as sum_pinball_loss_p50,
        sum(pinball_loss_p90) as sum_pinball_loss_p90,
        sum(pinball_loss_deciles) as sum_pinball_loss_deciles,
        sum(n_inside_p10_p90) as n_inside_p10_p90,
        count(n_inside_p10_p90) as n_with_band,
        sum(p50 - actual) as sum_error,
        sum(naive_abs_error) as sum_naive_abs_error,
        sum(case when naive_abs_error is not null then abs_error end) as sum_abs_error_with_naive,
        {{ safe_divide('avg(abs_error)', 'max(seasonal_scale)') }} as item_mase

    from banded
    group by 1, 2, 3, 4, 5, 6

),

sums as (

    select
        kind,
        model_id,
        cutoff_date,
        level,
        horizon_band,
        cast(sum(n_rows) as bigint) as n_rows,
        sum(sum_abs_error) as sum_abs_error,
        sum(sum_abs_actual) as sum_abs_actual,
        sum(sum_squared_error) as sum_squared_error,
        sum(sum_weighted_abs_error) as sum_weighted_abs_error,
        sum(sum_week_weight) as sum_week_weight,
        sum(sum_pinball_loss_p10) as sum_pinball_loss_p10,
        sum(sum_pinball_loss_p50) as sum_pinball_loss_p50,
        sum(sum_pinball_loss_p90) as sum_pinball_loss_p90,
        sum(sum_pinball_loss_deciles) as sum_pinball_loss_deciles,
        cast(sum(n_inside_p10_p90) as bigint) as n_inside_p10_p90,
        cast(sum(n_with_band) as bigint) as n_with_band,
        sum(sum_error) as sum_error,
        sum(sum_naive_abs_error) as sum_naive_abs_error,
        sum(sum_abs_error_with_naive) as sum_abs_error_with_naive,
        sum(item_mase) as sum_item_mase,
        count(item_mase) as n_items_with_scale

    from item_sums
    group by 1, 2, 3, 4, 5

),

final as (

    select
        sums.*,
        {{ safe_divide('sum_abs_error', 'sum_abs_actual') }} as wape,
        2e0 * {{ safe_divide(
            'sum_pinball_loss_p10 + sum_pinball_loss_p50 + sum_pinball_loss_p90', '3 * sum_abs_actual'
        ) }} as wql_3,
        2e0 * {{ safe_divide('sum_pinball_loss_deciles', 'sum_abs_actual') }} as wql_9,
        sqrt({{ safe_divide('sum_squared_error', 'n_rows') }}) as rmse,
        {{ safe_divide('sum_item_mase', 'n_items_with_scale') }} as mase,
        {{ safe_divide('sum_weighted_abs_error', 'sum_week_weight') }} as wmae,
        {{ safe_divide('n_inside_p10_p90', 'n_with_band') }} as coverage,
        {{ safe_divide('sum_error', 'sum_abs_actual') }} as bias,
        1e0 - {{ safe_divide('sum_abs_error_with_naive', 'sum_naive_abs_error') }} as value_added

    from sums

)

select * from final
