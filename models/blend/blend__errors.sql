with

past as (

    select * from {{ ref('blend__past') }}

),

exponents as (

    select * from {{ ref('blend__exponents') }}

),

relative as (

    select
        past.run_id,
        past.vintage_cutoff_date,
        past.item_id,
        past.week_end_date,
        past.lead_band,
        past.department_id,
        past.is_sampled,
        (past.actual - past.p50)
        / power(greatest(past.p50, 0e0) + 1e-1 * past.recent_level + past.level_floor, exponents.exponent)
            as relative_error,
        past.member_abs_error
        / power(greatest(past.p50, 0e0) + 1e-1 * past.recent_level + past.level_floor, exponents.exponent)
            as member_relative_error

    from past
    inner join exponents on past.run_id = exponents.run_id
    where greatest(past.p50, 0e0) + 1e-1 * past.recent_level + past.level_floor > 0e0

),

ranked as (

    select
        run_id,
        abs(relative_error) as abs_error,
        row_number() over (partition by run_id order by abs(relative_error)) as error_rank,
        count(*) over (partition by run_id) as n_errors

    from relative
    where is_sampled and relative_error <> 0e0

),

limits as (

    select
        run_id,
        12e0 * max(abs_error) as largest_error

    from ranked
    where error_rank = cast(ceil(n_errors / 2e0) as bigint)
    group by 1

),

-- A store that closes and opens again would make a band that nobody can use. Slow sellers have a median error of 0.
final as (

    select
        relative.run_id,
        relative.vintage_cutoff_date,
        relative.item_id,
        relative.week_end_date,
        relative.lead_band,
        relative.department_id,
        relative.is_sampled,
        case
            when limits.largest_error is null then relative.relative_error
            else greatest(-limits.largest_error, least(limits.largest_error, relative.relative_error))
        end as relative_error,
        case
            when limits.largest_error is null then relative.member_relative_error
            else least(limits.largest_error, relative.member_relative_error)
        end as member_relative_error

    from relative
    left join limits on relative.run_id = limits.run_id

)

select * from final
