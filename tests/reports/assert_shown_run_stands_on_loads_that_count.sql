with

shown as (

    select distinct run_id from {{ ref('rpt_forecast_latest') }}

),

runs as (

    select * from {{ ref('dim_forecast_run') }}

)

select
    runs.run_id,
    runs.model_id,
    runs.cutoff_date,
    runs.n_loads_retracted_since

from runs
inner join shown on runs.run_id = shown.run_id
where runs.n_loads_retracted_since > 0
