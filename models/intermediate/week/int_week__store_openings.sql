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

-- The earlier day of closing counts. One before the opening is that of a rebuild; a later one is then the last.
closings as (

    select
        stated.store_id,
        opened.opened_on,
        min(case when stated.closed_on < opened.opened_on then stated.closed_on end) as closed_before,
        min(case when stated.closed_on >= coalesce(opened.opened_on, stated.closed_on) then stated.closed_on end)
            as closed_on

    from stated
    inner join opened on stated.store_id = opened.store_id
    group by 1, 2

),

final as (

    select
        store_id,
        true as is_rebuild,
        opened_on,
        closed_before as closed_on

    from closings
    where closed_before is not null
    union all
    select
        store_id,
        false as is_rebuild,
        case when closed_before is null then opened_on end as opened_on,
        closed_on

    from closings
    where closed_before is null or closed_on is not null

)

select * from final
