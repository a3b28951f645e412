{# The key of a series: store and department, each escaped so that the colon between them is the only one. #}
{% macro item_id(store_id, department_id) -%}
    {{ escape_id_part(store_id) }} || ':' || {{ escape_id_part(department_id) }}
{%- endmacro %}

{% macro escape_id_part(part) -%}
    replace(replace({{ part }}, '%', '%25'), ':', '%3A')
{%- endmacro %}
