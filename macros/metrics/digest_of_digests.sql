{#
    One number for several digests, in whatever order they are.

    column: a bigint.
#}
{% macro digest_of_digests(column) -%}
    mod(sum(cast({{ column }} as decimal(38, 0))), 4611686018427387847)
{%- endmacro %}
