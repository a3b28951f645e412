-- accepted + rejected + superseded + retracted = landed, for each load.
with

loads as (

    select * from {{ source('lake', 'raw_loads') }}

),

judged as (

    select
        'raw_sales' as table_name,
        load_id,
        row_status

    from {{ ref('stg_retail__sales_judged') }}
    union all
    select
        'raw_related' as table_name,
        load_id,
        row_status

    from {{ ref('stg_retail__related_series_judged') }}
    union all
    select
        'raw_stores' as table_name,
        load_id,
        row_status

    from {{ ref('stg_retail__stores_judged') }}
    union all
    select
        'raw_departments' as table_name,
        load_id,
        row_status

    from {{ ref('stg_retail__departments_judged') }}
    union all
    select
        'raw_series_changes' as table_name,
        load_id,
        row_status

    from {{ ref('stg_retail__series_changes_judged') }}

),

counted as (

    select
        table_name,
        load_id,
        count_if(row_status = 'accepted') as n_accepted,
        count_if(row_status = 'rejected') as n_rejected,
        count_if(row_status = 'superseded') as n_superseded,
        count_if(row_status = 'retracted') as n_retracted

    from judged
    group by 1, 2

)

select
    loads.load_id,
    loads.table_name,
    loads.source_file,
    loads.n_rows as n_landed,
    counted.n_accepted,
    counted.n_rejected,
    counted.n_superseded,
    counted.n_retracted

from loads
full outer join counted
    on
        loads.load_id = counted.load_id
        and loads.table_name = counted.table_name
where
    loads.n_rows is distinct from
    counted.n_accepted + counted.n_rejected + counted.n_superseded + counted.n_retracted
