{{ config(materialized='table') }}

-- One typed year of 2002 makes a thousand weeks without a sale. A few rows that more than two years without any other
-- part from the rest are no history: fewer than one in a hundred, or one week alone with at most one in twenty.
with

raw_sales as (

    select * from {{ source('lake', 'raw_sales') }}

),

raw_related as (

    select * from {{ source('lake', 'raw_related') }}

),

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

date_texts as (

    select
        'raw_sales' as table_name,
        load_id,
        date as date_text,
        cast(cast(max(loaded_at) as date) + interval '7' day as date) as latest_date,
        count(*) as n_rows

    from raw_sales
    group by 1, 2, 3
    union all
    select
        'raw_related' as table_name,
        load_id,
        date as date_text,
        date '2099-12-31' as latest_date,
        count(*) as n_rows

    from raw_related
    group by 1, 2, 3

),

dates as (

    select
        table_name,
        load_id,
        {{ to_date('date_text') }} as row_date,
        latest_date,
        n_rows

    from date_texts

),

usable as (

    select
        dates.table_name,
        dates.row_date,
        sum(dates.n_rows) as n_rows

    from dates
    inner join loads on dates.load_id = loads.load_id
    where
        not loads.is_retracted
        and dates.row_date between date '1990-01-01' and dates.latest_date
    group by 1, 2

),

in_order as (

    select
        table_name,
        row_date,
        n_rows,
        lag(row_date) over (partition by table_name order by row_date) as date_before,
        lead(row_date) over (partition by table_name order by row_date) as date_after,
        min(row_date) over (partition by table_name) as first_date,
        max(row_date) over (partition by table_name) as last_date,
        sum(n_rows) over (partition by table_name) as n_rows_in_all,
        sum(n_rows) over (
            partition by table_name order by row_date
            rows between unbounded preceding and current row
        ) as n_rows_until

    from usable

),

gaps as (

    select
        table_name,
        row_date,
        n_rows_in_all,
        n_rows_until - n_rows as n_rows_earlier,
        n_rows_in_all - n_rows_until as n_rows_later,
        coalesce(date_diff('day', date_before, row_date) > 728, false) as is_after_gap,
        coalesce(date_diff('day', row_date, date_after) > 728, false) as is_before_gap,
        coalesce(date_diff('day', first_date, date_before) < 7, false) as is_one_week_earlier,
        coalesce(date_diff('day', date_after, last_date) < 7, false) as is_one_week_later

    from in_order

),

final as (

    select
        table_name,
        coalesce(
            max(case
                when
                    is_after_gap
                    and (
                        100 * n_rows_earlier < n_rows_in_all
                        or (is_one_week_earlier and 20 * n_rows_earlier <= n_rows_in_all)
                    )
                    then row_date
            end),
            min(row_date)
        ) as first_date,
        coalesce(
            min(case
                when
                    is_before_gap
                    and (
                        100 * n_rows_later < n_rows_in_all
                        or (is_one_week_later and 20 * n_rows_later <= n_rows_in_all)
                    )
                    then row_date
            end),
            max(row_date)
        ) as last_date

    from gaps
    group by 1

)

select * from final
