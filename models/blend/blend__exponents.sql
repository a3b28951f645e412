with

past as (

    select * from {{ ref('blend__past') }}

),

members as (

    select * from {{ ref('blend__members') }}

),

levels as (

    select * from {{ ref('blend__levels') }}

),

series_means as (

    select
        run_id,
        item_id,
        {{ exact_mean('p50') }} as mean_p50,
        {{ exact_mean('abs(actual - p50)') }} as mean_abs_error

    from past
    group by 1, 2
    having count(*) >= 8

),

logs as (

    select
        run_id,
        mean_p50 as weight,
        ln(mean_p50) as log_size,
        ln(mean_abs_error) as log_error

    from series_means
    where mean_p50 > 0e0 and mean_abs_error > 0e0

),

sums as (

    select
        run_id,
        count(*) as n_series,
        cast(sum({{ exact('weight') }}) as double) as sum_weight,
        cast(sum({{ exact('weight * log_size') }}) as double) as sum_size,
        cast(sum({{ exact('weight * log_error') }}) as double) as sum_error,
        cast(sum({{ exact('weight * log_size * log_size') }}) as double) as sum_size_size,
        cast(sum({{ exact('weight * log_size * log_error') }}) as double) as sum_size_error

    from logs
    group by 1

),

slopes as (

    select
        run_id,
        n_series,
        -- Series of one size tell no slope.
        case
            when sum_weight * sum_size_size - sum_size * sum_size > 1e-6 * sum_weight * sum_size_size
                then
                    (sum_weight * sum_size_error - sum_size * sum_error)
                    / (sum_weight * sum_size_size - sum_size * sum_size)
        end as slope

    from sums

),

runs as (

    select distinct
        run_id,
        cutoff_date

    from members

),

units as (

    select
        cutoff_date,
        coalesce(min(case when is_in_units then 1 else 0 end), 0) = 1 as is_in_units,
        min(level_floor) as level_floor,
        count(*) as n_series

    from levels
    group by 1

),

-- How errors grow with the size of a series; of items in units as those of counts do.
final as (

    select
        runs.run_id,
        runs.cutoff_date,
        coalesce(units.is_in_units, false) as is_in_units,
        units.n_series,
        case
            when units.is_in_units then 0.5e0
            else
                round(greatest(0.5e0, least(
                    1e0,
                    (coalesce(slopes.n_series * slopes.slope, 0e0) + 37.5e0)
                    / (case when slopes.slope is null then 0e0 else slopes.n_series end + 50e0)
                )), 4)
        end as exponent

    from runs
    left join slopes on runs.run_id = slopes.run_id
    left join units on runs.cutoff_date = units.cutoff_date

)

select * from final
