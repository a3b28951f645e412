{#
    An array of a given element type without elements.
#}
{% macro empty_array(element) -%}
    {{ return(adapter.dispatch('empty_array', 'salescast')(element)) }}
{%- endmacro %}

{% macro default__empty_array(element) -%}
    {{ exceptions.raise_compiler_error("empty_array has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__empty_array(element) -%}
    cast([] as {{ element }}[])
{%- endmacro %}

{% macro athena__empty_array(element) -%}
    cast(array[] as array({{ element }}))
{%- endmacro %}
