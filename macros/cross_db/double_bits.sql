{#
    The 64 bits of a double as a bigint: exact, where its text differs between engines.
#}
{% macro double_bits(value) -%}
    {{ return(adapter.dispatch('double_bits', 'salescast')(value)) }}
{%- endmacro %}

{% macro default__double_bits(value) -%}
    {{ exceptions.raise_compiler_error("double_bits has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__double_bits(value) -%}
    cast(cast({{ value }} as bit) as bigint)
{%- endmacro %}

{% macro athena__double_bits(value) -%}
    from_big_endian_64(to_ieee754_64({{ value }}))
{%- endmacro %}
