with

related_series as (

    select * from {{ ref('stg_retail__related_series') }}

),

register as (

    select * from {{ ref('stg_retail__related_series_register') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

with_newest as (

    select
        related_series.*,
        {{ last_known(
            'series_value', 'store_id, department_id, series_name, week_end_date', 'series_date'
        ) }} as newest_value

    from related_series

),

weekly as (

    select
        with_newest.store_id,
        with_newest.department_id,
        with_newest.series_name,
        with_newest.week_end_date,
        case min(register.weekly_aggregation)
            when 'sum' then sum(with_newest.series_value)
            when 'min' then min(with_newest.series_value)
            when 'max' then max(with_newest.series_value)
            when 'last' then max_by(with_newest.newest_value, with_newest.series_date)
            else avg(with_newest.series_value)
        end as series_value

    from with_newest
    inner join register on with_newest.series_name = register.series_name
    group by 1, 2, 3, 4

),

-- A fill rule never reaches past the last week that the source covers: that would invent the future.
coverage as (

    select
        store_id,
        department_id,
        series_name,
        max(week_end_date) as last_week_end_date

    from weekly
    group by 1, 2, 3

),

dense as (

    select
        coverage.store_id,
        coverage.department_id,
        coverage.series_name,
        spine.week_idx,
        spine.week_end_date,
        weekly.series_value

    from coverage
    inner join spine on coverage.last_week_end_date >= spine.week_end_date
    left join weekly
        on
            coverage.store_id = weekly.store_id
            and coverage.department_id = weekly.department_id
            and coverage.series_name = weekly.series_name
            and spine.week_end_date = weekly.week_end_date

),

with_last_known as (

    select
        store_id,
        department_id,
        series_name,
        week_idx,
        week_end_date,
        series_value,
        {{ last_known('series_value', 'store_id, department_id, series_name', 'week_idx') }} as last_known_value

    from dense

),

final as (

    select
        with_last_known.store_id,
        with_last_known.department_id,
        with_last_known.series_name,
        with_last_known.week_idx,
        with_last_known.week_end_date,
        case register.fill_rule
            when 'zero' then coalesce(with_last_known.series_value, 0e0)
            when 'forward' then with_last_known.last_known_value
            else with_last_known.series_value
        end as series_value

    from with_last_known
    inner join register on with_last_known.series_name = register.series_name

)

select * from final
