with

accuracy as (

    select * from {{ ref('rpt_forecast_accuracy') }}

),

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

run_steps as (

    select * from {{ ref('stg_forecasts__run_steps') }}

),

reigns as (

    select * from {{ ref('stg_forecasts__reigns') }}

),

champion as (

    select model_id from reigns
    where is_champion

),

-- Of a cutoff that was forecast live and again later the live forecast counts.
ranked_kinds as (

    select
        model_id,
        cutoff_date,
        kind,
        prediction_length,
        run_id,
        row_number() over (
            partition by model_id, cutoff_date
            order by case when kind = 'live' then 0 else 1 end
        ) as kind_rank

    from runs
    where is_current and kind in ('live', 'backtest')

),

judged_runs as (

    select * from ranked_kinds
    where kind_rank = 1

),

by_band as (

    select
        accuracy.*,
        judged_runs.prediction_length

    from accuracy
    inner join judged_runs
        on
            accuracy.model_id = judged_runs.model_id
            and accuracy.cutoff_date = judged_runs.cutoff_date
            and accuracy.kind = judged_runs.kind
    where accuracy.n_rows > 0

),

bands as (

    select
        model_id,
        cutoff_date,
        level,
        horizon_band,
        prediction_length,
        n_rows,
        sum_abs_error,
        sum_abs_actual,
        sum_pinball_loss_p10 + sum_pinball_loss_p50 + sum_pinball_loss_p90 as sum_pinball_loss,
        n_inside_p10_p90,
        n_with_band,
        sum_error,
        sum_abs_error_with_naive,
        sum_naive_abs_error

    from by_band
    union all
    select
        model_id,
        cutoff_date,
        level,
        'all' as horizon_band,
        max(prediction_length) as prediction_length,
        cast(sum(n_rows) as bigint) as n_rows,
        sum(sum_abs_error) as sum_abs_error,
        sum(sum_abs_actual) as sum_abs_actual,
        sum(sum_pinball_loss_p10 + sum_pinball_loss_p50 + sum_pinball_loss_p90) as sum_pinball_loss,
        cast(sum(n_inside_p10_p90) as bigint) as n_inside_p10_p90,
        cast(sum(n_with_band) as bigint) as n_with_band,
        sum(sum_error) as sum_error,
        sum(sum_abs_error_with_naive) as sum_abs_error_with_naive,
        sum(sum_naive_abs_error) as sum_naive_abs_error

    from by_band
    group by 1, 2, 3

),

-- Against the naive on rows that both have; so models compare with each other, too.
ratios as (

    select
        *,
        case
            when sum_abs_error_with_naive > 0e0 and sum_naive_abs_error > 0e0
                then round(ln(sum_abs_error_with_naive / sum_naive_abs_error), 9)
        end as log_ratio,
        case horizon_band
            when '1-4' then least(4, prediction_length)
            when '5-13' then least(13, prediction_length) - 4
            when '14-26' then least(26, prediction_length) - 13
            when '27+' then prediction_length - 26
            else prediction_length
        end as n_band_weeks

    from bands

),

champion_ratios as (

    select
        ratios.cutoff_date,
        ratios.level,
        ratios.horizon_band,
        ratios.log_ratio

    from ratios
    inner join champion on ratios.model_id = champion.model_id

),

compared as (

    select
        ratios.*,
        ratios.log_ratio - champion_ratios.log_ratio as log_ratio_to_champion,
        -- Cutoffs in one block of four weeks are hardly more than one.
        floor(date_diff('day', date '2000-01-01', ratios.cutoff_date) / 28e0) as block

    from ratios
    left join champion_ratios
        on
            ratios.cutoff_date = champion_ratios.cutoff_date
            and ratios.level = champion_ratios.level
            and ratios.horizon_band = champion_ratios.horizon_band

),

summed as (

    select
        level,
        horizon_band,
        model_id,
        count(*) as n_cutoffs,
        min(cutoff_date) as first_cutoff_date,
        max(cutoff_date) as last_cutoff_date,
        cast(sum(n_rows) as bigint) as n_rows,
        sum(sum_abs_error) as sum_abs_error,
        sum(sum_abs_actual) as sum_abs_actual,
        sum(sum_pinball_loss) as sum_pinball_loss,
        sum(n_inside_p10_p90) as n_inside_p10_p90,
        sum(n_with_band) as n_with_band,
        sum(sum_error) as sum_error,
        {% for ratio in ('log_ratio', 'log_ratio_to_champion') -%}
            count({{ ratio }}) as n_{{ ratio }},
            count(distinct case when {{ ratio }} is not null then block end) as n_blocks_{{ ratio }},
            {{ exact_mean(ratio) }} as mean_{{ ratio }},
            cast(sum({{ exact(ratio ~ ' * ' ~ ratio) }}) as double) as sum_square_{{ ratio }},
        {% endfor -%}
        max(n_band_weeks) as n_band_weeks

    from compared
    group by 1, 2, 3

),

-- The unit is the cutoff, not the row: series of one cutoff miss together. Below four cutoffs nothing is said.
intervals as (

    select
        *,
        {{ interval_half_width('log_ratio') }} as half_log_ratio,
        {{ interval_half_width('log_ratio_to_champion') }} as half_log_ratio_to_champion

    from summed

),

run_costs as (

    select
        run_id,
        sum(seconds) as seconds,
        -- A sum without some of the jobs would tell too little.
        case when count(cost_usd) = count(job_name) then coalesce(sum(cost_usd), 0e0) end as cost_usd

    from run_steps
    where run_id is not null
    group by 1

),

model_costs as (

    select
        judged_runs.model_id,
        sum(run_costs.seconds) / count(*) as seconds_a_run,
        case when count(run_costs.cost_usd) = count(*) then sum(run_costs.cost_usd) / count(*) end as cost_usd_a_run

    from judged_runs
    inner join run_costs on judged_runs.run_id = run_costs.run_id
    group by 1

),

final as (

    select
        intervals.level,
        intervals.horizon_band,
        intervals.model_id,
        intervals.n_cutoffs,
        intervals.first_cutoff_date,
        intervals.last_cutoff_date,
        intervals.n_rows,
        {{ safe_divide('intervals.sum_abs_error', 'intervals.sum_abs_actual') }} as wape,
        2e0 * {{ safe_divide('intervals.sum_pinball_loss', '3 * intervals.sum_abs_actual') }} as wql_3,
        {{ safe_divide('intervals.n_inside_p10_p90', 'intervals.n_with_band') }} as coverage,
        {{ safe_divide('intervals.sum_error', 'intervals.sum_abs_actual') }} as bias,
        {{ safe_divide('intervals.sum_abs_error + abs(intervals.sum_error)', 'intervals.sum_abs_actual') }}
            as bias_penalised_wape,
        exp(intervals.mean_log_ratio) - 1e0 as relative_error,
        exp(intervals.mean_log_ratio - intervals.half_log_ratio) - 1e0 as relative_error_low,
        exp(intervals.mean_log_ratio + intervals.half_log_ratio) - 1e0 as relative_error_high,
        intervals.n_log_ratio_to_champion as n_cutoffs_with_champion,
        exp(intervals.mean_log_ratio_to_champion) - 1e0 as relative_to_champion,
        exp(intervals.mean_log_ratio_to_champion - intervals.half_log_ratio_to_champion) - 1e0
            as relative_to_champion_low,
        exp(intervals.mean_log_ratio_to_champion + intervals.half_log_ratio_to_champion) - 1e0
            as relative_to_champion_high,
        intervals.model_id = champion.model_id as is_champion,
        intervals.model_id <> champion.model_id
        and coalesce(intervals.mean_log_ratio_to_champion + intervals.half_log_ratio_to_champion < 0e0, false)
            as is_challenger,
        model_costs.seconds_a_run,
        model_costs.cost_usd_a_run

    from intervals
    cross join champion
    left join model_costs on intervals.model_id = model_costs.model_id

)

select * from final
