{# A CTE body: the levels that series are summed to. #}
{% macro aggregate_levels() -%}
    select 'store' as level
    union all
    select 'department' as level
    union all
    select 'chain' as level
{%- endmacro %}

{# The store of a row at a level; null where the level holds all stores. #}
{% macro store_at_level(level, store_id) -%}
    case when {{ level }} = 'store' then {{ store_id }} end
{%- endmacro %}

{# The department of a row at a level; null where the level holds all departments. #}
{% macro department_at_level(level, department_id) -%}
    case when {{ level }} = 'department' then {{ department_id }} end
{%- endmacro %}

{# The item_id of an aggregate: an empty part means all. #}
{% macro aggregate_item_id(store_id, department_id) -%}
    coalesce({{ escape_id_part(store_id) }}, '') || ':' || coalesce({{ escape_id_part(department_id) }}, '')
{%- endmacro %}
