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
        sum(compared.abs_error) as sum_abs_error

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

)

select
    coalesce(fact.model_id, report.model_id) as model_id,
    coalesce(fact.cutoff_date, report.cutoff_date) as cutoff_date,
    fact.n_rows as n_rows_fact,
    report.n_rows as n_rows_report

from fact
full outer join report
    on
        fact.kind = report.kind
        and fact.model_id = report.model_id
        and fact.cutoff_date = report.cutoff_date
where
    fact.n_rows is distinct from report.n_rows
    or abs(fact.sum_abs_error - report.sum_abs_error) > 1e-9 * (1 + abs(fact.sum_abs_error))
