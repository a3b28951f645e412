{% set checked = ref('stg_forecasts__checked_runs') -%}
with

checked_runs as (

    select * from {{ checked }}

),

runs as (

    select runs.*
    from {{ ref('dim_forecast_run') }} as runs
    inner join checked_runs on runs.run_id = checked_runs.run_id
    where runs.is_current

),

fact as (

    select
        runs.kind,
        runs.model_id,
        runs.cutoff_date,
        count(*) as n_forecast_rows,
        count(compared.actual) as n_rows,
        coalesce(sum(compared.abs_error), 0e0) as sum_abs_error,
        coalesce(sum(compared.abs_actual), 0e0) as sum_abs_actual,
        coalesce(sum(case when compared.actual is null then compared.p50 end), 0e0) as sum_p50_without_actual

    from {{ ref('fct_forecast_vs_actual') }} as compared
    inner join runs on compared.run_id = runs.run_id
    where {{ is_checked_run(checked, 'compared.run_id') }}
    group by 1, 2, 3

),

report as (

    select
        accuracy.kind,
        accuracy.model_id,
        accuracy.cutoff_date,
        sum(accuracy.n_forecast_rows) as n_forecast_rows,
        sum(accuracy.n_rows) as n_rows,
        coalesce(sum(accuracy.sum_abs_error), 0e0) as sum_abs_error,
        sum(accuracy.sum_p50_without_actual) as sum_p50_without_actual

    from {{ ref('rpt_forecast_accuracy') }} as accuracy
    inner join runs
        on
            accuracy.kind = runs.kind
            and accuracy.model_id = runs.model_id
            and accuracy.cutoff_date = runs.cutoff_date
    where accuracy.level = 'store-department'
    group by 1, 2, 3

),

histogram as (

    select
        kind,
        model_id,
        cutoff_date,
        sum(n_rows) as n_rows,
        sum(sum_abs_error) as sum_abs_error,
        sum(sum_abs_actual) as sum_abs_actual

    from {{ ref('rpt_error_histogram') }}
    group by 1, 2, 3

)

select
    coalesce(fact.model_id, report.model_id) as model_id,
    coalesce(fact.cutoff_date, report.cutoff_date) as cutoff_date,
    fact.n_forecast_rows as n_forecast_rows_fact,
    report.n_forecast_rows as n_forecast_rows_report,
    fact.n_rows as n_rows_fact,
    report.n_rows as n_rows_report,
    histogram.n_rows as n_rows_histogram,
    fact.sum_abs_error as sum_abs_error_fact,
    report.sum_abs_error as sum_abs_error_report,
    histogram.sum_abs_error as sum_abs_error_histogram

from fact
full outer join report
    on
        fact.kind = report.kind
        and fact.model_id = report.model_id
        and fact.cutoff_date = report.cutoff_date
left join histogram
    on
        fact.kind = histogram.kind
        and fact.model_id = histogram.model_id
        and fact.cutoff_date = histogram.cutoff_date
where
    fact.n_forecast_rows is distinct from report.n_forecast_rows
    or fact.n_rows is distinct from report.n_rows
    or fact.n_rows <> coalesce(histogram.n_rows, 0)
    or abs(fact.sum_abs_error - report.sum_abs_error) > 1e-9 * (1 + fact.sum_abs_error)
    or abs(fact.sum_abs_error - coalesce(histogram.sum_abs_error, 0e0)) > 1e-9 * (1 + fact.sum_abs_error)
    or abs(fact.sum_abs_actual - coalesce(histogram.sum_abs_actual, 0e0)) > 1e-9 * (1 + fact.sum_abs_actual)
    or abs(fact.sum_p50_without_actual - report.sum_p50_without_actual) > 1e-6 + 1e-9 * abs(fact.sum_p50_without_actual)
