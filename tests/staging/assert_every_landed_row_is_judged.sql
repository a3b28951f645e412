-- accepted + rejected + superseded + retracted = landed, for each load: in rows, in sales and in days.
with

loads as (

    select * from {{ source('lake', 'raw_loads') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

judged as (

    select
        'raw_sales' as table_name,
        load_id,
        row_status,
        sales_date as row_date,
        week_end_date,
        try_cast(sales as decimal(28, 6)) as sales

    from {{ ref('stg_retail__sales_judged') }}
    union all
    select
        'raw_related' as table_name,
        load_id,
        row_status,
        series_date as row_date,
        week_end_date,
        cast(null as decimal(28, 6)) as sales

    from {{ ref('stg_retail__related_series_judged') }}
    union all
    select
        'raw_stores' as table_name,
        load_id,
        row_status,
        cast(null as date) as row_date,
        cast(null as date) as week_end_date,
        cast(null as decimal(28, 6)) as sales

    from {{ ref('stg_retail__stores_judged') }}
    union all
    select
        'raw_departments' as table_name,
        load_id,
        row_status,
        cast(null as date) as row_date,
        cast(null as date) as week_end_date,
        cast(null as decimal(28, 6)) as sales

    from {{ ref('stg_retail__departments_judged') }}
    union all
    select
        'raw_series_changes' as table_name,
        load_id,
        row_status,
        cast(null as date) as row_date,
        cast(null as date) as week_end_date,
        cast(null as decimal(28, 6)) as sales

    from {{ ref('stg_retail__series_changes_judged') }}

),

counted as (

    select
        judged.table_name,
        judged.load_id,
        count(*) as n_judged,
        count_if(judged.row_status = 'accepted') as n_accepted,
        count_if(judged.row_status = 'rejected') as n_rejected,
        count_if(judged.row_status = 'superseded') as n_superseded,
        count_if(judged.row_status = 'retracted') as n_retracted,
        count_if(
            judged.row_date is not null
            and judged.week_end_date is distinct from {{ week_end('judged.row_date', 'settings.week_anchor') }}
        ) as n_in_another_week,
        -- The date of a weekly row may be landed as the first day of its week, and is kept as its last.
        sum(
            date_diff('day', date '1970-01-01', judged.row_date)
            - case when settings.grain = 'weekly' and settings.week_label = 'start' then 6 else 0 end
        ) as days_sum,
        cast(sum(judged.sales) as double) as sales_sum,
        cast(sum(abs(judged.sales)) as double) as abs_sales_sum

    from judged
    cross join settings
    group by 1, 2

)

select
    coalesce(loads.load_id, counted.load_id) as load_id,
    coalesce(loads.table_name, counted.table_name) as table_name,
    loads.source_file,
    loads.n_rows as n_landed,
    counted.n_judged,
    counted.n_in_another_week,
    loads.sales_sum as sales_landed,
    counted.sales_sum as sales_judged,
    loads.days_sum as days_landed,
    counted.days_sum as days_judged

from loads
full outer join counted
    on
        loads.load_id = counted.load_id
        and loads.table_name = counted.table_name
where
    loads.n_rows is distinct from counted.n_judged
    or loads.n_rows is distinct from
    counted.n_accepted + counted.n_rejected + counted.n_superseded + counted.n_retracted
    or counted.n_in_another_week > 0
    or loads.days_sum <> counted.days_sum
    or abs(loads.sales_sum - coalesce(counted.sales_sum, 0e0)) > 1e-4 + 1e-10 * coalesce(counted.abs_sales_sum, 0e0)
