with

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

fact as (

    select
        runs.kind,
        runs.model_id,
        runs.cutoff_date,
        count(*) as n_rows,
        sum(compared.abs_error) as sum_abs_error,
        count_if(compared.abs_actual > 0e0) as n_rows_in_bins,
        sum(case when compared.abs_actual > 0e0 then compared.abs_actual end) as sum_abs_actual_in_bins

    from {{ ref('fct_forecast_vs_actual') }} as compared
    inner join runs on compared.run_id = runs.run_id
    where runs.is_current and compared.actual is not null
    group by 1, 2, 3

),

report as (

    select
        kind,
        model_id,
        cutoff_date,
        sum(n_rows) as n_rows,
        sum(sum_abs_error) as sum_abs_error

    from {{ ref('rpt_forecast_accuracy') }}
    where level = 'store-department'
    group by 1, 2, 3

),

histogram as (

    select
        kind,
        model_id,
        cutoff_date,
        sum(n_rows) as n_rows,
        sum(sum_abs_actual) as sum_abs_actual

    from {{ ref('rpt_error_histogram') }}
    group by 1, 2, 3

)

select
    coalesce(fact.model_id, report.model_id) as model_id,
    coalesce(fact.cutoff_date, report.cutoff_date) as cutoff_date,
    fact.n_rows as n_rows_fact,
    report.n_rows as n_rows_report,
    fact.n_rows_in_bins,
    histogram.n_rows as n_rows_histogram

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
    fact.n_rows is distinct from report.n_rows
    or abs(fact.sum_abs_error - report.sum_abs_error) > 1e-9 * (1 + abs(fact.sum_abs_error))
    or fact.n_rows_in_bins <> coalesce(histogram.n_rows, 0)
    or abs(fact.sum_abs_actual_in_bins - histogram.sum_abs_actual) > 1e-9 * (1 + abs(fact.sum_abs_actual_in_bins))
