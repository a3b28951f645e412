with

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

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

-- Rows that a later delivery adds for a key do not stand for the one that could not be read; the same line does.
{% set answers = [
    ('raw_sales', 'sales_judged', ['store_id', 'department_id', 'sales_date'], true),
    ('raw_sales', 'sales_judged', ['line_id'], false),
    ('raw_related', 'related_series_judged', ['store_id', 'department_id', 'series_name', 'series_date'], true),
    ('raw_stores', 'stores_judged', ['store_id'], true),
    ('raw_departments', 'departments_judged', ['department_id'], true),
    ('raw_series_changes', 'series_changes_judged', ['subject', 'subject_store_id', 'subject_department_id'], true),
] -%}
answered as (

    {% for table_name, judged, key, is_restated in answers -%}
        select
            '{{ table_name }}' as table_name,
            rejected.load_id,
            rejected.source_row,
            {{ 'rejected.series_name' if 'series_name' in key else "'' as series_name" }}

        from {{ judged }} as rejected
        inner join {{ judged }} as accepted
            on
                {% for column in key -%}
                    {{ 'and ' if not loop.first }}rejected.{{ column }} = accepted.{{ column }}
                {% endfor %}
        inner join loads as rejected_loads on rejected.load_id = rejected_loads.load_id
        inner join loads as accepted_loads on accepted.load_id = accepted_loads.load_id
        where
            rejected.row_status = 'rejected'
            and accepted.row_status = 'accepted'
            and rejected_loads.delivery_id < accepted_loads.delivery_id
            {{ "and accepted_loads.between_deliveries = 'restates'" if is_restated }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (

    select distinct
        table_name,
        load_id,
        source_row,
        series_name

    from answered

)

select * from final
