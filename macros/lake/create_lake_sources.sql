{#
    Makes every lake source exist before the first model reads it.

    Columns and types come from the sources' YAML, so a warehouse can be built
    on a lake that holds no file yet.
#}
{% macro create_lake_sources() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'test', 'seed', 'compile', 'show') -%}
        {%- for node in graph.sources.values() if node.source_name == 'lake' -%}
            {%- do create_lake_source(node) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro create_lake_source(node) -%}
    {{ return(adapter.dispatch('create_lake_source', 'salescast')(node)) }}
{%- endmacro %}

{% macro default__create_lake_source(node) -%}
    {{ exceptions.raise_compiler_error("create_lake_source has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{# A view; typed and empty while the folder has no file, because a glob without a match is an error. #}
{% macro duckdb__create_lake_source(node) -%}
    {%- set files = lake_path() ~ '/' ~ node.identifier ~ '/*.parquet' -%}
    {%- set quoted_files = "'" ~ files | replace("'", "''") ~ "'" -%}
    {%- do run_query('create schema if not exists ' ~ adapter.quote(node.schema)) -%}
    {%- set n_files = run_query('select count(*) from glob(' ~ quoted_files ~ ')').columns[0].values()[0] -%}
    {%- set columns = [] -%}
    {%- for column in node.columns.values() -%}
        {%- set value = adapter.quote(column.name) if n_files else 'null' -%}
        {%- do columns.append('cast(' ~ value ~ ' as ' ~ column.data_type ~ ') as ' ~ adapter.quote(column.name)) -%}
    {%- endfor -%}
    {%- set rows = 'from read_parquet(' ~ quoted_files ~ ', union_by_name = true, hive_partitioning = false)'
        if n_files else 'where false' -%}
    {%- do run_query(
        'create or replace view ' ~ adapter.quote(node.schema) ~ '.' ~ adapter.quote(node.identifier)
        ~ ' as select ' ~ columns | join(', ') ~ ' ' ~ rows
    ) -%}
{%- endmacro %}
