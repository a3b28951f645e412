{#
    The distinct texts of a group in one line, separated by a comma and a space.
#}
{% macro list_text(value, order_by) -%}
    {{ return(adapter.dispatch('list_text', 'salescast')(value, order_by)) }}
{%- endmacro %}

{% macro default__list_text(value, order_by) -%}
    {{ exceptions.raise_compiler_error("list_text has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__list_text(value, order_by) -%}
    string_agg(distinct {{ value }}, ', ' order by {{ order_by }})
{%- endmacro %}

{% macro athena__list_text(value, order_by) -%}
    array_join(array_agg(distinct {{ value }} order by {{ order_by }}), ', ')
{%- endmacro %}
