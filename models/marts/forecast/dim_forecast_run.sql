{{ config(
    pre_hook="{{ refuse_empty_source([ref('stg_forecasts__runs')]) }}"
) }}

with

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

champions as (

    select * from {{ ref('stg_forecasts__champions') }}

),

ranked_runs as (

    select
        runs.*,
        row_number() over (
            partition by runs.model_id, runs.cutoff_date, runs.kind
            order by runs.landed_at desc, runs.run_id desc
        ) as newest_rank

    from runs

),

ranked_champions as (

    select
        model_id,
        row_number() over (order by set_at desc, model_id asc) as newest_rank

    from champions

),

-- Without a row in champions DeepAR is the model shown first.
champion as (

    select coalesce(max(case when newest_rank = 1 then model_id end), 'deepar') as model_id
    from ranked_champions

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
        ranked_runs.newest_rank = 1 as is_current,
        ranked_runs.model_id = champion.model_id as is_champion

    from ranked_runs
    cross join champion

)

select * from final
