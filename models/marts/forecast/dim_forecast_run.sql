{{ config(
    pre_hook="{{ refuse_empty_source([ref('stg_forecasts__runs')]) }}"
) }}

with

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

withdrawals as (

    select * from {{ ref('stg_forecasts__withdrawals') }}

),

reigns as (

    select * from {{ ref('stg_forecasts__reigns') }}

),

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

-- Live is what was said before anybody knew: the first week was not over, or no later week of sales had landed.
known_runs as (

    select
        runs.*,
        case
            when runs.requested_kind = 'backtest' then 'backtest'
            when cast(runs.landed_at as date) <= {{ add_weeks('runs.cutoff_date', 1) }} then 'live'
            when runs.cutoff_date >= coalesce(runs.newest_week_end_date, runs.cutoff_date) then 'live'
            else 'hindsight'
        end as kind,
        withdrawals.withdrawn_at,
        withdrawals.reason as withdrawal_reason

    from runs
    left join withdrawals on runs.run_id = withdrawals.run_id

),

-- The record of a live forecast is the first one; of others the longest one, of these the newest.
ranked_runs as (

    select
        *,
        row_number() over (
            partition by model_id, cutoff_date, kind, withdrawn_at is null
            order by
                case when kind = 'live' then landed_at end asc,
                case when kind = 'live' then run_id end asc,
                prediction_length desc,
                landed_at desc,
                run_id desc
        ) as record_rank

    from known_runs

),

champion_runs as (

    select runs.run_id
    from runs
    inner join reigns
        on
            runs.model_id = reigns.model_id
            and runs.landed_at >= reigns.begins_at
            and runs.landed_at < reigns.ends_at

),

retracted_loads as (

    select
        runs.run_id,
        count(*) as n_loads

    from runs
    inner join loads
        on
            runs.landed_at >= loads.loaded_at
            and runs.landed_at < loads.retracted_at
            and runs.cutoff_date >= coalesce(loads.first_date, runs.cutoff_date)
    group by 1

),

final as (

    select
        ranked_runs.run_id,
        ranked_runs.batch_id,
        ranked_runs.model_id,
        ranked_runs.recipe,
        ranked_runs.kind,
        ranked_runs.cutoff_date,
        ranked_runs.prediction_length,
        ranked_runs.trained_model_id,
        ranked_runs.forecaster,
        ranked_runs.seed,
        ranked_runs.hyperparameters,
        ranked_runs.data_hash,
        ranked_runs.code_version,
        ranked_runs.n_items,
        ranked_runs.n_fallback_items,
        ranked_runs.n_rows,
        ranked_runs.landed_at,
        ranked_runs.withdrawn_at is null and ranked_runs.record_rank = 1 as is_current,
        champion_runs.run_id is not null as is_champion,
        ranked_runs.withdrawn_at,
        ranked_runs.withdrawal_reason,
        cast(coalesce(retracted_loads.n_loads, 0) as integer) as n_loads_retracted_since

    from ranked_runs
    left join champion_runs on ranked_runs.run_id = champion_runs.run_id
    left join retracted_loads on ranked_runs.run_id = retracted_loads.run_id

)

select * from final
