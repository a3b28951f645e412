with

errors as (

    select * from {{ ref('snaive_calendar__errors') }}

),

series as (

    select * from {{ ref('exp_series') }}
    where treatment <> 'ended'

),

series_errors as (

    select
        cutoff_date,
        item_id,
        count(relative_error) as n_errors,
        sum({{ exact('abs(relative_error)') }}) as sum_abs_error

    from errors
    group by 1, 2

),

joined as (

    select
        series.cutoff_date,
        series.item_id,
        series.department_id,
        coalesce(series_errors.n_errors, 0) as n_errors,
        coalesce(series_errors.sum_abs_error, 0) as sum_abs_error

    from series
    left join series_errors
        on
            series.cutoff_date = series_errors.cutoff_date
            and series.item_id = series_errors.item_id

),

summed as (

    select
        *,
        sum(n_errors) over (partition by cutoff_date, department_id) as n_department_errors,
        sum(sum_abs_error) over (partition by cutoff_date, department_id) as sum_department_error,
        {{ safe_divide(
            'sum(sum_abs_error) over (partition by cutoff_date)', 'sum(n_errors) over (partition by cutoff_date)'
        ) }} as chain_error

    from joined

),

-- A department's mean error is pulled to the chain's as if by fifty more errors, a series' to that by twelve.
pulled as (

    select
        *,
        (cast(sum_department_error as double) + 50e0 * chain_error)
        / (cast(n_department_errors as double) + 50e0) as department_error

    from summed

),

final as (

    select
        cutoff_date,
        item_id,
        round((cast(sum_abs_error as double) + 12e0 * department_error) / (cast(n_errors as double) + 12e0), 9)
            as error_scale

    from pulled
    where chain_error > 0e0

)

select * from final
