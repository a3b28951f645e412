{#
    A text with every match of a regular expression replaced; \1 in the replacement is the first group.

    pattern: an expression, such as a literal in quotes.
#}
{% macro replace_matches(text, pattern, replacement) -%}
    {{ return(adapter.dispatch('replace_matches', 'salescast')(text, pattern, replacement)) }}
{%- endmacro %}

{% macro default__replace_matches(text, pattern, replacement) -%}
    {{ exceptions.raise_compiler_error("replace_matches has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__replace_matches(text, pattern, replacement) -%}
    regexp_replace({{ text }}, {{ pattern }}, '{{ replacement }}', 'g')
{%- endmacro %}

{% macro athena__replace_matches(text, pattern, replacement) -%}
    regexp_replace({{ text }}, {{ pattern }}, '{{ replacement | replace('\\', '$') }}')
{%- endmacro %}
