{#
    Whether a text matches a regular expression somewhere.
#}
{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch('matches', 'salescast')(text, pattern)) }}
{%- endmacro %}

{% macro default__matches(text, pattern) -%}
    {{ exceptions.raise_compiler_error("matches has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro athena__matches(text, pattern) -%}
    regexp_like({{ text }}, '{{ pattern }}')
{%- endmacro %}
