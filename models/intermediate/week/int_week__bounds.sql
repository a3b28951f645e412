with

sales as (

    select * from {{ ref('stg_retail__sales') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

sales_days as (

    select distinct
        sales_date,
        week_end_date,
        date_diff('day', sales_date, week_end_date) as days_before_week_end

    from sales

),

extent as (

    select
        min(sales_date) as first_sales_date,
        max(sales_date) as newest_sales_date,
        min(week_end_date) as first_week_end_date,
        max(week_end_date) as newest_week_end_date,
        count(distinct week_end_date) as n_weeks

    from sales_days

),

weekdays as (

    select
        days_before_week_end,
        count(*) as n_weeks

    from sales_days
    group by 1

),

-- Days on which the chain usually sells: a chain that rests on Sunday completes its week on Saturday.
trading_days as (

    select
        max(weekdays.days_before_week_end) as first_trading_day,
        min(weekdays.days_before_week_end) as newest_trading_day

    from weekdays
    cross join extent
    where 2 * weekdays.n_weeks >= extent.n_weeks

),

final as (

    select
        case
            when
                settings.grain = 'weekly'
                or date_diff('day', extent.first_sales_date, extent.first_week_end_date)
                >= trading_days.first_trading_day
                then extent.first_week_end_date
            else {{ add_weeks('extent.first_week_end_date', 1) }}
        end as first_week_end_date,
        case
            when
                settings.grain = 'weekly'
                or date_diff('day', extent.newest_sales_date, extent.newest_week_end_date)
                <= trading_days.newest_trading_day
                then extent.newest_week_end_date
            else {{ add_weeks('extent.newest_week_end_date', -1) }}
        end as newest_week_end_date

    from extent
    cross join settings
    cross join trading_days
    where extent.n_weeks > 0

)

select * from final
