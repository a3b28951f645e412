{% set checked = ref('stg_forecasts__checked_runs') -%}
with

checked_runs as (

    select * from {{ checked }}

),

runs as (

    select runs.*
    from {{ ref('stg_forecasts__runs') }} as runs
    inner join checked_runs on runs.run_id = checked_runs.run_id

),

forecasts as (

    select *
    from {{ ref('stg_forecasts__forecasts') }}
    where {{ is_checked_run(checked) }}

),

counted as (

    select
        run_id,
        count(*) as n_rows,
        count(distinct item_id) as n_items,
        min(model_id) as first_model_id,
        max(model_id) as last_model_id,
        min(cutoff_date) as first_cutoff_date,
        max(cutoff_date) as last_cutoff_date,
        min(horizon_weeks) as first_horizon,
        max(horizon_weeks) as last_horizon,
        count_if({{ add_weeks('cutoff_date', 'horizon_weeks') }} <> week_end_date) as n_misdated,
        {{ rows_digest('forecasts') }} as rows_digest

    from forecasts
    group by 1

),

fallback_items as (

    select
        run_id,
        count(*) as n_items

    from {{ ref('stg_forecasts__fallback_items') }}
    group by 1

),

total_bands as (

    select
        run_id,
        count(*) as n_rows

    from {{ ref('stg_forecasts__total_bands') }}
    group by 1

)

select
    runs.run_id,
    runs.n_rows,
    counted.n_rows as n_rows_found,
    runs.n_items,
    counted.n_items as n_items_found,
    counted.n_misdated,
    runs.rows_digest,
    counted.rows_digest as rows_digest_found,
    runs.n_fallback_items,
    fallback_items.n_items as n_fallback_items_found,
    runs.n_total_bands,
    total_bands.n_rows as n_total_bands_found

from runs
left join counted on runs.run_id = counted.run_id
left join fallback_items on runs.run_id = fallback_items.run_id
left join total_bands on runs.run_id = total_bands.run_id
where
    counted.n_rows is distinct from runs.n_rows
    or counted.n_items is distinct from runs.n_items
    or counted.n_rows <> runs.n_items * runs.prediction_length
    or counted.first_model_id <> runs.model_id
    or counted.last_model_id <> runs.model_id
    or counted.first_cutoff_date <> runs.cutoff_date
    or counted.last_cutoff_date <> runs.cutoff_date
    or counted.first_horizon <> 1
    or counted.last_horizon <> runs.prediction_length
    or counted.n_misdated > 0
    or counted.rows_digest <> runs.rows_digest
    or coalesce(total_bands.n_rows, 0) <> runs.n_total_bands
    -- Runs of earlier versions, without a digest, may have no list of these.
    or (runs.rows_digest is not null and coalesce(fallback_items.n_items, 0) <> runs.n_fallback_items)
