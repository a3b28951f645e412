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

final as (

    select
        store_id,
        max(opened_on) as opened_on,
        min(closed_on) as closed_on

    from stated
    group by 1

)

select * from final
