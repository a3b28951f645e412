with

past as (

    select * from {{ ref('blend__past') }}

),

corrections as (

    select * from {{ ref('blend__corrections') }}

),

exponents as (

    select * from {{ ref('blend__exponents') }}

),

total_levels as (

    {{ aggregate_levels() }}

),

located as (

    select
        past.run_id,
        past.vintage_cutoff_date,
        past.week_end_date,
        past.lead_band,
        past.actual,
        past.mean,
        total_levels.level,
        {{ store_at_level('total_levels.level', 'past.store_id') }} as store_id,
        {{ department_at_level('total_levels.level', 'past.department_id') }} as department_id

    from past
    cross join total_levels

),

summed as (

    select
        run_id,
        vintage_cutoff_date,
        level,
        {{ aggregate_item_id('store_id', 'department_id') }} as item_id,
        week_end_date,
        lead_band,
        cast(sum({{ exact('actual') }}) as double) as actual,
        cast(sum({{ exact('mean') }}) as double) as mean,
        cast(sum({{ exact('abs(mean)') }}) as double) as sum_size,
        count(*) as n_items

    from located
    group by 1, 2, 3, 4, 5, 6

),

-- A week in which most series of a total are missing says nothing of it, nor does one whose returns take most of it.
whole as (

    select
        summed.*,
        max(summed.n_items) over (
            partition by summed.run_id, summed.vintage_cutoff_date, summed.level, summed.item_id
        ) as most_items

    from summed

),

corrected as (

    select
        whole.*,
        exponents.exponent,
        whole.mean * exp(coalesce(corrections.log_correction, 0e0)) as corrected_mean

    from whole
    inner join exponents on whole.run_id = exponents.run_id
    left join corrections
        on
            whole.run_id = corrections.run_id
            and whole.lead_band = corrections.lead_band
    where
        2 * whole.n_items >= whole.most_items
        and 2e0 * whole.mean > whole.sum_size

),

relative as (

    select
        run_id,
        vintage_cutoff_date,
        level,
        item_id,
        week_end_date,
        lead_band,
        round((actual - corrected_mean) / power(corrected_mean, exponent), 9) + 0e0 as relative_error

    from corrected

),

ranked as (

    select
        run_id,
        level,
        abs(relative_error) as abs_error,
        row_number() over (partition by run_id, level order by abs(relative_error)) as error_rank,
        count(*) over (partition by run_id, level) as n_errors

    from relative
    where relative_error <> 0e0

),

limits as (

    select
        run_id,
        level,
        round(12e0 * max(abs_error), 9) as largest_error

    from ranked
    where error_rank = cast(ceil(n_errors / 2e0) as bigint)
    group by 1, 2

),

-- As with series: what closed for half a year and opened again tells nothing of the others.
final as (

    select
        relative.run_id,
        relative.vintage_cutoff_date,
        relative.level,
        relative.item_id,
        relative.week_end_date,
        relative.lead_band,
        case
            when limits.largest_error is null then relative.relative_error
            else greatest(-limits.largest_error, least(limits.largest_error, relative.relative_error))
        end as relative_error

    from relative
    left join limits
        on
            relative.run_id = limits.run_id
            and relative.level = limits.level

)

select * from final
