with

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

compared as (

    select * from {{ ref('fct_forecast_vs_actual') }}
    where actual is not null

),

relative_errors as (

    select
        runs.kind,
        runs.model_id,
        runs.cutoff_date,
        compared.abs_error,
        compared.abs_actual,
        {{ safe_divide('compared.p50 - compared.actual', 'compared.abs_actual') }} as relative_error

    from compared
    inner join runs on compared.run_id = runs.run_id
    where runs.is_current

),

-- Bins of ten per cent of the actual; everything beyond twice the actual shares the last one.
binned as (

    select
        kind,
        model_id,
        cutoff_date,
        abs_error,
        abs_actual,
        case
            when relative_error < -1e0 then -1.1e0
            when relative_error >= 1e0 then 1e0
            else floor(relative_error * 10) / 10
        end as error_bin

    from relative_errors

),

final as (

    select
        kind,
        model_id,
        cutoff_date,
        error_bin,
        count(*) as n_rows,
        sum(abs_error) as sum_abs_error,
        sum(abs_actual) as sum_abs_actual

    from binned
    where error_bin is not null
    group by 1, 2, 3, 4

)

select * from final
