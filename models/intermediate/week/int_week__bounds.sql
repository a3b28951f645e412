with

sales as (

    select * from {{ ref('stg_retail__sales') }}

),

calendar_events as (

    select * from {{ ref('stg_retail__calendar_events') }}

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

sales_weeks as (

    select
        week_end_date,
        row_number() over (order by week_end_date) as weeks_on,
        row_number() over (order by week_end_date desc) as weeks_back

    from sales_days
    group by 1

),

-- The weeks beside the first and the newest one tell on which days the chain sells; a lone week tells it of itself.
weeks_beside as (

    select
        'first' as side,
        sales_weeks.week_end_date,
        sales_weeks.weeks_on - 1 as weeks_away

    from sales_weeks
    cross join extent
    where sales_weeks.weeks_on between 2 and 9 or extent.n_weeks = 1
    union all
    select
        'newest' as side,
        sales_weeks.week_end_date,
        sales_weeks.weeks_back - 1 as weeks_away

    from sales_weeks
    cross join extent
    where sales_weeks.weeks_back between 2 and 9 or extent.n_weeks = 1

),

week_counts as (

    select
        side,
        count(*) as n_weeks

    from weeks_beside
    group by 1

),

-- A chain that rests on Sunday completes its week on Saturday; two Sundays in a row make a new habit.
trading_days as (

    select
        weeks_beside.side,
        sales_days.days_before_week_end

    from weeks_beside
    inner join week_counts on weeks_beside.side = week_counts.side
    inner join sales_days on weeks_beside.week_end_date = sales_days.week_end_date
    group by 1, 2
    having
        2 * count(*) >= max(week_counts.n_weeks)
        or count_if(weeks_beside.weeks_away <= 2) = 2

),

past_holidays as (

    select
        calendar_events.event_name,
        count(*) as n_days,
        count(sales_days.sales_date) as n_sales_days

    from calendar_events
    cross join extent
    left join sales_days on calendar_events.event_date = sales_days.sales_date
    where
        calendar_events.is_holiday
        and calendar_events.event_date between extent.first_sales_date and extent.newest_sales_date
    group by 1

),

holiday_habit as (

    select
        coalesce(sum(n_days), 0) as n_days,
        coalesce(sum(n_sales_days), 0) as n_sales_days

    from past_holidays

),

-- Nobody waits for a holiday on which the chain rests, by its own past or else by that of all holidays.
days_of_rest as (

    select distinct calendar_events.event_date
    from calendar_events
    cross join holiday_habit
    left join past_holidays on calendar_events.event_name = past_holidays.event_name
    where
        calendar_events.is_holiday
        and 2 * coalesce(past_holidays.n_sales_days, holiday_habit.n_sales_days)
        < greatest(coalesce(past_holidays.n_days, holiday_habit.n_days), 1)

),

awaited_days as (

    select
        trading_days.side,
        cast(
            case when trading_days.side = 'first' then extent.first_week_end_date else extent.newest_week_end_date end
            - interval '1' day * trading_days.days_before_week_end as date
        ) as sales_date

    from trading_days
    cross join extent

),

missing_days as (

    select
        count_if(awaited_days.side = 'first' and awaited_days.sales_date < extent.first_sales_date) as n_at_first,
        count_if(awaited_days.side = 'newest' and awaited_days.sales_date > extent.newest_sales_date) as n_at_newest

    from awaited_days
    cross join extent
    left join days_of_rest on awaited_days.sales_date = days_of_rest.event_date
    where days_of_rest.event_date is null

),

final as (

    select
        case
            when settings.grain = 'weekly' or missing_days.n_at_first = 0 then extent.first_week_end_date
            else {{ add_weeks('extent.first_week_end_date', 1) }}
        end as first_week_end_date,
        case
            when settings.grain = 'weekly' or missing_days.n_at_newest = 0 then extent.newest_week_end_date
            else {{ add_weeks('extent.newest_week_end_date', -1) }}
        end as newest_week_end_date

    from extent
    cross join settings
    cross join missing_days
    where extent.n_weeks > 0

)

select * from final
