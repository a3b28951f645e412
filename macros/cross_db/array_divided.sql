{#
    The elements of an array over those of another of its length; null where they are divided by 0.
#}
{% macro array_divided(numerators, denominators) -%}
    {{ return(adapter.dispatch('array_divided', 'salescast')(numerators, denominators)) }}
{%- endmacro %}

{% macro default__array_divided(numerators, denominators) -%}
    {{ exceptions.raise_compiler_error("array_divided has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__array_divided(numerators, denominators) -%}
    [pair[1] / nullif(pair[2], 0e0) for pair in list_zip({{ numerators }}, {{ denominators }})]
{%- endmacro %}

{% macro athena__array_divided(numerators, denominators) -%}
    zip_with({{ numerators }}, {{ denominators }}, (numerator, denominator) -> numerator / nullif(denominator, 0e0))
{%- endmacro %}
