{# The level of a row of grouping sets, from the grouping() of store and department. #}
{% macro aggregate_level(is_all_stores, is_all_departments) -%}
    case
        when {{ is_all_stores }} = 1 and {{ is_all_departments }} = 1 then 'chain'
        when {{ is_all_departments }} = 1 then 'store'
        else 'department'
    end
{%- endmacro %}

{# The item_id of an aggregate: an empty part means all. #}
{% macro aggregate_item_id(store_id, department_id) -%}
    coalesce({{ escape_id_part(store_id) }}, '') || ':' || coalesce({{ escape_id_part(department_id) }}, '')
{%- endmacro %}
