-- Marts of sales hold what was filled: each week of each series once, with its sales, 0 while it was closed, and the
-- calendar's weeks.
with

filled as (

    select * from {{ ref('int_sales__filled') }}

),

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

weeks as (

    select * from {{ ref('dim_week') }}

),

series as (

    select * from {{ ref('dim_series') }}

),

side_by_side as (

    select
        item_id,
        store_id,
        department_id,
        week_end_date,
        1 as n_filled,
        0 as n_in_mart,
        case when is_observed then 1 else 0 end as n_observed,
        case when is_closed_week then 0e0 else sales end as filled_sales,
        cast(null as double) as mart_sales

    from filled
    union all
    select
        item_id,
        store_id,
        department_id,
        week_end_date,
        0 as n_filled,
        1 as n_in_mart,
        case when is_observed then -1 else 0 end as n_observed,
        cast(null as double) as filled_sales,
        sales as mart_sales

    from weekly_sales

),

compared as (

    select
        item_id,
        store_id,
        department_id,
        week_end_date,
        sum(n_filled) as n_filled,
        sum(n_in_mart) as n_in_mart,
        sum(n_observed) as n_observed,
        sum(filled_sales) as filled_sales,
        sum(mart_sales) as mart_sales

    from side_by_side
    group by 1, 2, 3, 4

),

observed as (

    select
        item_id,
        min(store_id) as store_id,
        min(department_id) as department_id,
        min(case when is_observed then week_end_date end) as first_week_end_date,
        max(case when is_observed then week_end_date end) as last_week_end_date,
        count_if(is_observed) as n_observed

    from filled
    group by 1

),

faults as (

    select
        'fct_weekly_sales' as mart,
        item_id,
        week_end_date,
        filled_sales,
        mart_sales

    from compared
    where
        n_filled <> 1
        or n_in_mart <> 1
        or n_observed <> 0
        or filled_sales is distinct from mart_sales
    union all
    select
        'dim_series' as mart,
        coalesce(observed.item_id, series.item_id) as item_id,
        observed.last_week_end_date as week_end_date,
        cast(null as double) as filled_sales,
        cast(null as double) as mart_sales

    from observed
    full outer join series on observed.item_id = series.item_id
    where
        observed.store_id is distinct from series.store_id
        or observed.department_id is distinct from series.department_id
        or observed.first_week_end_date is distinct from series.first_week_end_date
        or observed.last_week_end_date is distinct from series.last_week_end_date
        or observed.n_observed is distinct from series.n_observed
    union all
    select
        'dim_week' as mart,
        cast(null as varchar) as item_id,
        coalesce(spine.week_end_date, weeks.week_end_date) as week_end_date,
        cast(null as double) as filled_sales,
        cast(null as double) as mart_sales

    from spine
    full outer join weeks on spine.week_end_date = weeks.week_end_date
    where spine.is_complete is distinct from weeks.is_complete

)

select * from faults
