{#
    The n elements of an array from a 1-based position.
#}
{% macro array_part(array, first, n) -%}
    {{ return(adapter.dispatch('array_part', 'salescast')(array, first, n)) }}
{%- endmacro %}

{% macro default__array_part(array, first, n) -%}
    {{ exceptions.raise_compiler_error("array_part has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__array_part(array, first, n) -%}
    array_slice({{ array }}, {{ first }}, {{ first }} + {{ n }} - 1)
{%- endmacro %}

{% macro athena__array_part(array, first, n) -%}
    slice({{ array }}, {{ first }}, {{ n }})
{%- endmacro %}
