with

series as (

    select * from {{ ref('int_sales__series') }}

),

openings as (

    select * from {{ ref('int_week__store_openings') }}

),

series_changes as (

    select * from {{ ref('stg_retail__series_changes') }}

),

-- Of a store both tables tell; which of two days counts is the openings' business.
stated as (

    select
        store_id,
        '' as department_id,
        is_rebuild,
        opened_on,
        closed_on,
        false as is_still_sold

    from openings
    where opened_on is not null or closed_on is not null
    union all
    select
        store_id,
        department_id,
        false as is_rebuild,
        cast(null as date) as opened_on,
        case when department_id <> '' then closed_on end as closed_on,
        is_still_sold

    from series_changes
    where is_still_sold or (department_id <> '' and closed_on is not null)

),

scoped as (

    {% set scopes = {
        'store': ['series.store_id', "''"],
        'department': ["''", 'series.department_id'],
        'series': ['series.store_id', 'series.department_id'],
    } -%}
    {% for scope, key in scopes.items() -%}
        select
            series.item_id,
            case when stated.is_rebuild then 'rebuild' else '{{ scope }}' end as said_of,
            stated.opened_on,
            stated.closed_on,
            stated.is_still_sold

        from series
        inner join stated
            on
                {{ key[0] }} = stated.store_id
                and {{ key[1] }} = stated.department_id
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (

    select
        item_id,
        said_of,
        max(opened_on) as opened_on,
        min(closed_on) as closed_on,
        count_if(is_still_sold) > 0 as is_still_sold

    from scoped
    group by 1, 2

)

select * from final
