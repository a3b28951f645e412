-- Target arrays hold each filled week in its place, and every series that had begun by a cutoff is there, from its
-- first week to the cutoff.
with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

gaps as (

    select distinct
        store_id,
        department_id,
        week_idx

    from {{ ref('int_features__gaps') }}

),

-- Weeks that are masked are there without their sales.
filled as (

    select
        sales_filled.item_id,
        sales_filled.week_idx,
        sales_filled.week_end_date,
        min(sales_filled.store_id) as store_id,
        min(sales_filled.department_id) as department_id,
        case when count(gaps.week_idx) = 0 then max(sales_filled.sales) end as sales

    from sales_filled
    left join gaps
        on
            sales_filled.store_id = gaps.store_id
            and gaps.department_id in ('', sales_filled.department_id)
            and sales_filled.week_idx = gaps.week_idx
    group by 1, 2, 3

),

target_arrays as (

    select * from {{ ref('int_sales__target_arrays') }}

),

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

),

series_by_cutoff as (

    select * from {{ ref('exp_series') }}

),

side_by_side as (

    select
        item_id,
        week_idx,
        1 as n_filled,
        0 as n_exported,
        sales as filled_sales,
        cast(null as double) as exported_sales

    from filled
    union all
    select
        target_arrays.item_id,
        target_arrays.first_week_idx + targets.position - 1 as week_idx,
        0 as n_filled,
        1 as n_exported,
        cast(null as double) as filled_sales,
        targets.sales as exported_sales

    from target_arrays
    cross join unnest(target_arrays.target) with ordinality as targets (sales, position)

),

weeks as (

    select
        item_id,
        week_idx,
        sum(n_filled) as n_filled,
        sum(n_exported) as n_exported,
        sum(filled_sales) as filled_sales,
        sum(exported_sales) as exported_sales

    from side_by_side
    group by 1, 2

),

begun as (

    select
        cutoffs.cutoff_date,
        filled.item_id,
        min(filled.store_id) as store_id,
        min(filled.department_id) as department_id,
        min(filled.week_end_date) as first_week_end_date,
        max(filled.week_end_date) as newest_week_end_date,
        count(*) as n_weeks

    from filled
    inner join cutoffs on filled.week_end_date <= cutoffs.cutoff_date
    where cutoffs.has_sales
    group by 1, 2

),

faults as (

    select
        cast(null as date) as cutoff_date,
        item_id,
        week_idx,
        filled_sales,
        exported_sales

    from weeks
    where
        n_filled <> 1
        or n_exported <> 1
        or filled_sales is distinct from exported_sales
    union all
    select
        coalesce(begun.cutoff_date, series_by_cutoff.cutoff_date) as cutoff_date,
        coalesce(begun.item_id, series_by_cutoff.item_id) as item_id,
        cast(null as bigint) as week_idx,
        cast(null as double) as filled_sales,
        cast(null as double) as exported_sales

    from begun
    full outer join series_by_cutoff
        on
            begun.cutoff_date = series_by_cutoff.cutoff_date
            and begun.item_id = series_by_cutoff.item_id
    where
        begun.n_weeks is distinct from series_by_cutoff.n_weeks
        or begun.store_id is distinct from series_by_cutoff.store_id
        or begun.department_id is distinct from series_by_cutoff.department_id
        or begun.first_week_end_date is distinct from series_by_cutoff.first_week_end_date
        or begun.newest_week_end_date is distinct from series_by_cutoff.cutoff_date

)

select * from faults
