{#
    A text in Unicode's composed form (NFC): one spelling of an accented letter, however it was typed.
#}
{% macro nfc(text) -%}
    {{ return(adapter.dispatch('nfc', 'salescast')(text)) }}
{%- endmacro %}

{% macro default__nfc(text) -%}
    {{ exceptions.raise_compiler_error("nfc has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__nfc(text) -%}
    nfc_normalize({{ text }})
{%- endmacro %}

{% macro athena__nfc(text) -%}
    normalize({{ text }})
{%- endmacro %}
