-- Each weekly sale stands in its series' row of filled weeks, and the rows between have none; a part week is a gap. A
-- series is dense from its first whole week to the newest complete one.
with

weekly as (

    select * from {{ ref('int_sales__weekly') }}

),

filled as (

    select * from {{ ref('int_sales__filled') }}

),

newest as (

    select max(week_idx) as week_idx from {{ ref('int_week__spine') }}
    where is_complete

),

side_by_side as (

    select
        item_id,
        store_id,
        department_id,
        week_idx,
        week_end_date,
        1 as n_weekly,
        0 as n_filled,
        case when is_part_week then 1 else 0 end as n_part,
        0 as n_observed,
        case when not is_part_week then sales end as weekly_sales,
        cast(null as double) as filled_sales

    from weekly
    union all
    select
        item_id,
        store_id,
        department_id,
        week_idx,
        week_end_date,
        0 as n_weekly,
        1 as n_filled,
        0 as n_part,
        case when is_observed then 1 else 0 end as n_observed,
        cast(null as double) as weekly_sales,
        sales as filled_sales

    from filled

),

weeks as (

    select
        item_id,
        store_id,
        department_id,
        week_idx,
        week_end_date,
        sum(n_weekly) as n_weekly,
        sum(n_filled) as n_filled,
        sum(n_part) as n_part,
        sum(n_observed) as n_observed,
        sum(weekly_sales) as weekly_sales,
        sum(filled_sales) as filled_sales

    from side_by_side
    group by 1, 2, 3, 4, 5

),

series as (

    select
        item_id,
        min(case when n_weekly > n_part then week_idx end) as first_week_idx,
        sum(n_filled) as n_weeks

    from weeks
    group by 1

),

faults as (

    select
        item_id,
        week_end_date,
        n_weekly,
        n_filled,
        n_observed,
        weekly_sales,
        filled_sales

    from weeks
    where
        (n_filled <> 1 and not (n_filled = 0 and n_part = 1))
        or n_observed <> n_weekly - n_part
        or (n_weekly = 1 and weekly_sales is distinct from filled_sales)
        or (n_weekly = 0 and filled_sales <> 0e0)
    union all
    select
        series.item_id,
        cast(null as date) as week_end_date,
        cast(null as bigint) as n_weekly,
        series.n_weeks as n_filled,
        cast(null as bigint) as n_observed,
        cast(null as double) as weekly_sales,
        cast(null as double) as filled_sales

    from series
    cross join newest
    where series.n_weeks <> coalesce(newest.week_idx - series.first_week_idx + 1, 0)

)

select * from faults
