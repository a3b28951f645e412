{#
    The newest value that is not null, up to and including the current row.
#}
{% macro last_known(value, partition_by, order_by) -%}
    {{ return(adapter.dispatch('last_known', 'salescast')(value, partition_by, order_by)) }}
{%- endmacro %}

{% macro default__last_known(value, partition_by, order_by) -%}
    {{ exceptions.raise_compiler_error("last_known has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__last_known(value, partition_by, order_by) -%}
    last_value({{ value }} ignore nulls) over (
        partition by {{ partition_by }} order by {{ order_by }}
        rows between unbounded preceding and current row
    )
{%- endmacro %}

{% macro athena__last_known(value, partition_by, order_by) -%}
    last_value({{ value }}) ignore nulls over (
        partition by {{ partition_by }} order by {{ order_by }}
        rows between unbounded preceding and current row
    )
{%- endmacro %}
