with

sales_weekly as (

    select * from {{ ref('int_sales__weekly') }}

),

bounds as (

    select * from {{ ref('int_week__bounds') }}

),

counted as (

    select
        bounds.newest_week_end_date,
        count_if(sales_weekly.week_end_date = bounds.newest_week_end_date) as n_series,
        count_if(sales_weekly.week_end_date = {{ add_weeks('bounds.newest_week_end_date', -1) }}) as n_series_before

    from sales_weekly
    cross join bounds
    group by 1

)

select * from counted
where 10 * n_series < 8 * n_series_before
