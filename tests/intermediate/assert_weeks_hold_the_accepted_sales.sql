-- What staging accepts is what stg_retail__sales and then the weeks hold: rows, sales and days. Only the first and the
-- last week of daily sales may be left out, because they are not whole.
with

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}
    where is_complete

),

bounds as (

    select
        min(week_end_date) as first_week_end_date,
        max(week_end_date) as newest_week_end_date

    from spine

),

accepted as (

    select
        store_id,
        department_id,
        week_end_date,
        count(*) as n_rows,
        min(sales_date) as first_date,
        max(sales_date) as newest_date,
        sum(date_diff('day', date '1970-01-01', sales_date)) as day_sum,
        sum(cast(sales as decimal(18, 4))) as sales

    from {{ ref('stg_retail__sales_judged') }}
    where row_status = 'accepted'
    group by 1, 2, 3

),

passed_on as (

    select
        store_id,
        department_id,
        week_end_date,
        count(*) as n_rows,
        sum(date_diff('day', date '1970-01-01', sales_date)) as day_sum,
        sum(cast(sales as decimal(18, 4))) as sales

    from {{ ref('stg_retail__sales') }}
    group by 1, 2, 3

),

weekly as (

    select
        weekly.store_id,
        weekly.department_id,
        weekly.week_end_date,
        count(*) as n_weeks,
        cast(sum(cast(weekly.sales as decimal(18, 4))) as double) as sales,
        count_if(
            {{ item_id('weekly.store_id', 'weekly.department_id') }} is distinct from weekly.item_id
            or 7 * weekly.week_idx
            is distinct from date_diff('day', bounds.first_week_end_date, weekly.week_end_date)
        ) as n_with_another_key

    from {{ ref('int_sales__weekly') }} as weekly
    cross join bounds
    group by 1, 2, 3

),

extent as (

    select
        min(week_end_date) as first_week_end_date,
        max(week_end_date) as newest_week_end_date,
        min(first_date) as first_date,
        max(newest_date) as newest_date

    from accepted

),

expected as (

    select
        accepted.*,
        case
            when settings.grain = 'weekly' then true
            when
                accepted.week_end_date = extent.first_week_end_date
                and date_diff('day', extent.first_date, extent.first_week_end_date) < 6
                then coalesce(accepted.week_end_date >= bounds.first_week_end_date, false)
            when
                accepted.week_end_date = extent.newest_week_end_date
                and extent.newest_date < extent.newest_week_end_date
                then coalesce(accepted.week_end_date <= bounds.newest_week_end_date, false)
            else true
        end as is_in_weeks

    from accepted
    cross join settings
    cross join extent
    cross join bounds

)

select
    coalesce(expected.store_id, passed_on.store_id, weekly.store_id) as store_id,
    coalesce(expected.department_id, passed_on.department_id, weekly.department_id) as department_id,
    coalesce(expected.week_end_date, passed_on.week_end_date, weekly.week_end_date) as week_end_date,
    expected.n_rows as n_accepted,
    passed_on.n_rows as n_passed_on,
    weekly.n_weeks,
    expected.sales as accepted_sales,
    passed_on.sales as passed_on_sales,
    weekly.sales as weekly_sales

from expected
full outer join passed_on
    on
        expected.store_id = passed_on.store_id
        and expected.department_id = passed_on.department_id
        and expected.week_end_date = passed_on.week_end_date
full outer join weekly
    on
        expected.store_id = weekly.store_id
        and expected.department_id = weekly.department_id
        and expected.week_end_date = weekly.week_end_date
where
    expected.n_rows is distinct from passed_on.n_rows
    or expected.day_sum is distinct from passed_on.day_sum
    or expected.sales is distinct from passed_on.sales
    or coalesce(expected.is_in_weeks, false) <> (weekly.store_id is not null)
    or weekly.n_weeks > 1
    or weekly.n_with_another_key > 0
    or abs(weekly.sales - cast(expected.sales as double)) > 1e-4 + 1e-10 * abs(weekly.sales)
