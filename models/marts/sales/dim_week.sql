with

calendar as (

    select * from {{ ref('int_week__calendar') }}

),

final as (

    select
        week_end_date,
        cast(week_end_date - interval '6' day as date) as week_start_date,
        cast(extract(
            year from cast(cast(date_trunc('week', week_end_date) as date) + interval '3' day as date)
        ) as integer) as year_number,
        cast(extract(week from week_end_date) as integer) as week_of_year,
        {{ add_weeks('week_end_date', '-' ~ var('season_weeks')) }} as last_year_week_end_date,
        is_complete,
        is_holiday_week,
        week_weight,
        events

    from calendar

)

select * from final
