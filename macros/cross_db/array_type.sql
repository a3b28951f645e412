{#
    The name of an array type, for contracts.
#}
{% macro array_type(element) -%}
    {{ return(adapter.dispatch('array_type', 'salescast')(element)) }}
{%- endmacro %}

{% macro default__array_type(element) -%}
    {{ exceptions.raise_compiler_error("array_type has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__array_type(element) -%}
    {{ element }}[]
{%- endmacro %}

{% macro athena__array_type(element) -%}
    array({{ element }})
{%- endmacro %}
