{#
    A number below 2^32 that stands for a text: the first eight hexadecimal digits of its MD5.
#}
{% macro text_number(text) -%}
    {{ return(adapter.dispatch('text_number', 'salescast')(text)) }}
{%- endmacro %}

{% macro default__text_number(text) -%}
    {{ exceptions.raise_compiler_error("text_number has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__text_number(text) -%}
    cast('0x' || substr(md5({{ text }}), 1, 8) as bigint)
{%- endmacro %}

{% macro athena__text_number(text) -%}
    from_base(substr(to_hex(md5(to_utf8({{ text }}))), 1, 8), 16)
{%- endmacro %}
