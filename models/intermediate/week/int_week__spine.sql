with

bounds as (

    select * from {{ ref('int_week__bounds') }}

),

numbers as (

    {{ numbers() }}

),

-- Both bounds are last days of weeks, so the days between them divide by seven on every engine.
final as (

    select
        cast(numbers.n as integer) as week_idx,
        {{ add_weeks('bounds.first_week_end_date', 'numbers.n') }} as week_end_date,
        {{ add_weeks('bounds.first_week_end_date', 'numbers.n') }} <= bounds.newest_week_end_date as is_complete

    from bounds
    inner join numbers
        on
            numbers.n
            <= date_diff('day', bounds.first_week_end_date, bounds.newest_week_end_date) / 7
            + {{ var('max_horizon_weeks') }}
    where bounds.first_week_end_date <= bounds.newest_week_end_date

)

select * from final
