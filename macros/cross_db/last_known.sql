{#
    The newest value that is not null, up to and including the current row; `until` may end the window earlier.
#}
{% macro last_known(value, partition_by, order_by, until='current row') -%}
    {{ return(adapter.dispatch('last_known', 'salescast')(value, partition_by, order_by, until)) }}
{%- endmacro %}

{% macro default__last_known(value, partition_by, order_by, until) -%}
    {{ exceptions.raise_compiler_error("last_known has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__last_known(value, partition_by, order_by, until) -%}
    last_value({{ value }} ignore nulls) over (
        partition by {{ partition_by }} order by {{ order_by }}
        rows between unbounded preceding and {{ until }}
    )
{%- endmacro %}

{% macro athena__last_known(value, partition_by, order_by, until) -%}
    last_value({{ value }}) ignore nulls over (
        partition by {{ partition_by }} order by {{ order_by }}
        rows between unbounded preceding and {{ until }}
    )
{%- endmacro %}
