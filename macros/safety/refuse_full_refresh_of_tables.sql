{#
    Stops a --full-refresh that would drop tables before they are built again.

    dbt-athena swaps Hive tables in a normal build but drops them first in a
    full refresh, so that a failed one leaves nothing to read. Only incremental
    models have anything to gain from it.
#}
{% macro refuse_full_refresh_of_tables() -%}
    {{ return(adapter.dispatch('refuse_full_refresh_of_tables', 'salescast')()) }}
{%- endmacro %}

{% macro default__refuse_full_refresh_of_tables() -%}
    {{ exceptions.raise_compiler_error(
        "refuse_full_refresh_of_tables has no implementation for adapter " ~ target.type
    ) }}
{%- endmacro %}

{% macro duckdb__refuse_full_refresh_of_tables() -%}
{%- endmacro %}

{% macro athena__refuse_full_refresh_of_tables() -%}
    {%- if execute and flags.FULL_REFRESH and flags.WHICH in ['build', 'run', 'retry'] -%}
        {%- set tables = [] -%}
        {%- for id in selected_resources if id.startswith('model.') -%}
            {%- if graph.nodes[id].config.materialized == 'table' -%}
                {%- do tables.append(graph.nodes[id].name) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if tables -%}
            {{ exceptions.raise_compiler_error(
                'On Athena --full-refresh would drop ' ~ tables | length ~ ' tables before it builds them again ('
                ~ tables[0] ~ ' and others). They are built anew in every normal build: type '
                ~ '`salescast build --full-refresh`, or `dbt build --full-refresh --select '
                ~ 'config.materialized:incremental` and then `dbt build`.'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
