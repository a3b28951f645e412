with

stores as (

    select * from {{ ref('stg_retail__stores') }}

),

series_changes as (

    select * from {{ ref('stg_retail__series_changes') }}

),

stated as (

    select
        store_id,
        opened_on,
        closed_on

    from stores
    union all
    select
        store_id,
        cast(null as date) as opened_on,
        closed_on

    from series_changes
    where store_id <> '' and department_id = ''

),

opened as (

    select
        store_id,
        max(opened_on) as opened_on

    from stated
    group by 1

),

-- The earlier day of closing counts; but where one lies before the opening and one after it, the store opened again
-- and closed for good on the later one.
final as (

    select
        stated.store_id,
        opened.opened_on,
        coalesce(
            min(case when stated.closed_on >= opened.opened_on then stated.closed_on end),
            min(stated.closed_on)
        ) as closed_on

    from stated
    inner join opened on stated.store_id = opened.store_id
    group by 1, 2

)

select * from final
