with

errors as (

    select * from {{ ref('blend__errors') }}

),

exponents as (

    select * from {{ ref('blend__exponents') }}

),

levels as (

    select * from {{ ref('blend__levels') }}

),

series_sums as (

    select
        run_id,
        item_id,
        count(*) as n_errors,
        cast(sum({{ exact('abs(relative_error)') }}) as double) as sum_abs_error

    from errors
    group by 1, 2

),

run_means as (

    select
        run_id,
        cast(sum({{ exact('sum_abs_error') }}) as double) / sum(n_errors) as mean_abs_error

    from series_sums
    group by 1

),

department_sums as (

    select
        errors.run_id,
        errors.department_id,
        count(*) as n_errors,
        cast(sum({{ exact('abs(errors.relative_error)') }}) as double) as sum_abs_error

    from errors
    group by 1, 2

),

-- A department is pulled towards the chain, a series towards its department.
department_means as (

    select
        department_sums.run_id,
        department_sums.department_id,
        (department_sums.sum_abs_error + 50e0 * run_means.mean_abs_error) / (department_sums.n_errors + 50)
            as mean_abs_error

    from department_sums
    inner join run_means on department_sums.run_id = run_means.run_id

),

final as (

    select
        exponents.run_id,
        levels.item_id,
        levels.department_id,
        (
            coalesce(series_sums.sum_abs_error, 0e0)
            + 20e0 * coalesce(department_means.mean_abs_error, run_means.mean_abs_error)
        ) / (coalesce(series_sums.n_errors, 0) + 20) as error_scale

    from exponents
    inner join levels on exponents.cutoff_date = levels.cutoff_date
    inner join run_means on exponents.run_id = run_means.run_id
    left join department_means
        on
            exponents.run_id = department_means.run_id
            and levels.department_id = department_means.department_id
    left join series_sums
        on
            exponents.run_id = series_sums.run_id
            and levels.item_id = series_sums.item_id

)

select * from final
