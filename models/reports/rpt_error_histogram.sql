with

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

error_bins as (

    select * from {{ ref('fct_run_error_bin') }}

),

-- A model has one current run of a kind at a cutoff.
final as (

    select
        runs.kind,
        runs.model_id,
        runs.cutoff_date,
        error_bins.error_bin,
        error_bins.n_rows,
        error_bins.sum_abs_error,
        error_bins.sum_abs_actual

    from error_bins
    inner join runs on error_bins.run_id = runs.run_id
    where runs.is_current

)

select * from final
