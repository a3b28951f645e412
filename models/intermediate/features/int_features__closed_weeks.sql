with

series as (

    select * from {{ ref('int_sales__series') }}

),

statements as (

    select * from {{ ref('int_sales__statements') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

closed_series as (

    select distinct
        series.store_id,
        series.department_id,
        spine.week_idx

    from series
    inner join statements on series.item_id = statements.item_id
    inner join spine on not spine.is_complete
    where {{ is_closed_week('spine.week_end_date', 'statements.opened_on', 'statements.closed_on') }}

),

store_sizes as (

    select
        store_id,
        count(*) as n_series

    from series
    group by store_id

),

-- A feature of a whole store is asked for as long as one of its series is open.
closed_stores as (

    select
        closed_series.store_id,
        closed_series.week_idx

    from closed_series
    inner join store_sizes on closed_series.store_id = store_sizes.store_id
    group by closed_series.store_id, closed_series.week_idx, store_sizes.n_series
    having count(*) = store_sizes.n_series

),

final as (

    select * from closed_series
    union all
    select
        store_id,
        '' as department_id,
        week_idx

    from closed_stores

)

select * from final
