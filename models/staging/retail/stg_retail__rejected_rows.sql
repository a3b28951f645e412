with

sales_judged as (

    select * from {{ ref('stg_retail__sales_judged') }}

),

related_series_judged as (

    select * from {{ ref('stg_retail__related_series_judged') }}

),

stores_judged as (

    select * from {{ ref('stg_retail__stores_judged') }}

),

departments_judged as (

    select * from {{ ref('stg_retail__departments_judged') }}

),

series_changes_judged as (

    select * from {{ ref('stg_retail__series_changes_judged') }}

),

raw_sales as (

    select * from {{ source('lake', 'raw_sales') }}

),

raw_related as (

    select * from {{ source('lake', 'raw_related') }}

),

rejected_sales as (

    select
        'raw_sales' as table_name,
        sales_judged.load_id,
        sales_judged.loaded_at,
        sales_judged.source_file,
        sales_judged.source_row,
        '' as series_name,
        sales_judged.rejection_reason,
        coalesce(
            raw_sales.unreadable_line,
            coalesce(raw_sales.store, '') || ' | ' || coalesce(raw_sales.department, '')
            || ' | ' || coalesce(raw_sales.date, '') || ' | ' || coalesce(raw_sales.sales, '')
        ) as row_text

    from sales_judged
    inner join raw_sales
        on
            sales_judged.load_id = raw_sales.load_id
            and sales_judged.source_row = raw_sales.source_row
    where sales_judged.row_status = 'rejected'

),

rejected_related as (

    select
        'raw_related' as table_name,
        related_series_judged.load_id,
        related_series_judged.loaded_at,
        related_series_judged.source_file,
        related_series_judged.source_row,
        related_series_judged.series_name,
        related_series_judged.rejection_reason,
        coalesce(
            raw_related.unreadable_line,
            coalesce(raw_related.store, '') || ' | ' || coalesce(raw_related.department, '')
            || ' | ' || coalesce(raw_related.date, '') || ' | ' || raw_related.series_name
            || ' | ' || coalesce(raw_related.value, '')
        ) as row_text

    from related_series_judged
    inner join raw_related
        on
            related_series_judged.load_id = raw_related.load_id
            and related_series_judged.source_row = raw_related.source_row
            and related_series_judged.series_name = coalesce(raw_related.series_name, '')
    where related_series_judged.row_status = 'rejected'

),

rejected_stores as (

    select
        'raw_stores' as table_name,
        load_id,
        loaded_at,
        source_file,
        source_row,
        '' as series_name,
        rejection_reason,
        coalesce(store_id, '') as row_text

    from stores_judged
    where row_status = 'rejected'

),

rejected_departments as (

    select
        'raw_departments' as table_name,
        load_id,
        loaded_at,
        source_file,
        source_row,
        '' as series_name,
        rejection_reason,
        coalesce(department_id, '') as row_text

    from departments_judged
    where row_status = 'rejected'

),

rejected_series_changes as (

    select
        'raw_series_changes' as table_name,
        load_id,
        loaded_at,
        source_file,
        source_row,
        '' as series_name,
        rejection_reason,
        store_id || ' | ' || department_id || ' | ' || renamed_from as row_text

    from series_changes_judged
    where row_status = 'rejected'

),

final as (

    select * from rejected_sales
    union all
    select * from rejected_related
    union all
    select * from rejected_stores
    union all
    select * from rejected_departments
    union all
    select * from rejected_series_changes

)

select * from final
