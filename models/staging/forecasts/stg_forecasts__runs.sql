with

runs as (

    select * from {{ source('lake', 'runs') }}

),

final as (

    select
        run_id,
        batch_id,
        model_id,
        recipe,
        kind as requested_kind,
        cutoff_date,
        prediction_length,
        trained_model_id,
        forecaster,
        seed,
        hyperparameters,
        data_hash,
        code_version,
        n_items,
        n_fallback_items,
        n_rows,
        landed_at,
        rows_digest,
        newest_week_end_date,
        n_total_bands

    from runs

)

select * from final
