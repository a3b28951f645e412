with

calendar as (

    select * from {{ ref('int_week__calendar') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

days as (

    select
        calendar.week_end_date,
        cast(calendar.week_end_date - interval '1' day * numbers.n as date) as day_date

    from calendar
    cross join (values (0), (1), (2), (3), (4), (5), (6)) as numbers (n)

),

months as (

    select
        week_end_date,
        cast(date_trunc('month', day_date) as date) as month_start_date,
        cast(extract(year from day_date) as integer) as year_number,
        cast(extract(month from day_date) as integer) as month_number,
        count(*) as n_days

    from days
    group by 1, 2, 3, 4

),

-- A fiscal year has the number of the year in which it ends.
final as (

    select
        months.week_end_date,
        months.month_start_date,
        months.year_number,
        months.month_number,
        months.year_number
        + case
            when settings.fiscal_year_starts_in > 1 and months.month_number >= settings.fiscal_year_starts_in then 1
            else 0
        end as fiscal_year,
        mod(months.month_number - settings.fiscal_year_starts_in + 12, 12) + 1 as fiscal_period,
        months.n_days,
        cast(months.n_days as double) / 7e0 as day_share

    from months
    cross join settings

)

select * from final
