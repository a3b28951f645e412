{#
    Makes every lake source exist before the first model reads it.

    Columns and types come from the sources' YAML, so a warehouse can be built
    on a lake that holds no file yet. Runs at the start of dbt's commands, or
    by itself: dbt run-operation create_lake_sources.

    move: on Athena, let tables that stand on another lake move to this one.
#}
{% macro create_lake_sources(move=false) -%}
    {%- set commands = ['build', 'run', 'test', 'seed', 'show', 'retry', 'run-operation'] -%}
    {%- if execute and flags.WHICH in commands -%}
        {%- set nodes = graph.sources.values() | selectattr('source_name', 'equalto', 'lake') | list -%}
        {%- do create_schema_of_lake(nodes[0]) -%}
        {%- do refuse_other_holder(nodes[0], move) -%}
        {%- for node in nodes -%}
            {%- do create_lake_source(node, move) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro create_schema_of_lake(node) -%}
    {%- if not adapter.check_schema_exists(node.database, node.schema) -%}
        {%- do adapter.create_schema(api.Relation.create(database=node.database, schema=node.schema)) -%}
    {%- endif -%}
{%- endmacro %}

{% macro create_lake_source(node, move) -%}
    {{ return(adapter.dispatch('create_lake_source', 'salescast')(node, move)) }}
{%- endmacro %}

{% macro default__create_lake_source(node, move) -%}
    {{ exceptions.raise_compiler_error("create_lake_source has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{#
    A view; typed and empty while the folder has no file, because a glob without a match is an error. A column that
    no file has yet, as after an update of salescast, is null.

    salescast names the files that have landed in SALESCAST_LANDED_FILES: a lake that is read as empty, or in part,
    stops the build.

    Athena reads timestamps of files in milliseconds, so they are rounded here too.
#}
{% macro duckdb__create_lake_source(node, move) -%}
    {%- if '\\' in lake_path() -%}
        {{ exceptions.raise_compiler_error(
            'The path of the lake, ' ~ lake_path() ~ ', has a backslash in it, which DuckDB takes for a slash: name '
            ~ 'another folder, or rename this one.'
        ) }}
    {%- endif -%}
    {#- A home may be named with what is a pattern to DuckDB, and would then show files of other homes. -#}
    {%- set folder = lake_path() | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') -%}
    {%- set files = folder ~ '/' ~ node.identifier ~ '/*.parquet' -%}
    {%- set quoted_files = "'" ~ files | replace("'", "''") ~ "'" -%}
    {%- set n_files = run_query('select count(*) from glob(' ~ quoted_files ~ ')').columns[0].values()[0] -%}
    {%- set n_landed = fromjson(env_var('SALESCAST_LANDED_FILES', '{}')).get(node.identifier, 0) -%}
    {%- if n_files < n_landed -%}
        {{ exceptions.raise_compiler_error(
            'DuckDB finds ' ~ n_files ~ ' of the ' ~ n_landed ~ ' files that have landed in ' ~ lake_path() ~ '/'
            ~ node.identifier ~ ': building would lose their rows. See whether this user may read that folder, and '
            ~ 'give the home a plain name.'
        ) }}
    {%- endif -%}
    {%- set scan = 'from read_parquet(' ~ quoted_files ~ ', union_by_name = true, hive_partitioning = false)' -%}
    {%- set found = run_query('describe ' ~ scan).columns[0].values() if n_files else [] -%}
    {%- set columns = [] -%}
    {%- for column in node.columns.values() -%}
        {%- set value = adapter.quote(column.name) if column.name in found else 'null' -%}
        {%- if column.data_type == 'timestamp' -%}
            {%- set value = 'cast(' ~ value ~ ' as timestamp_ms)' -%}
        {%- endif -%}
        {%- do columns.append('cast(' ~ value ~ ' as ' ~ column.data_type ~ ') as ' ~ adapter.quote(column.name)) -%}
    {%- endfor -%}
    {%- set rows = scan if n_files else 'where false' -%}
    {%- do run_query(
        'create or replace view ' ~ adapter.quote(node.schema) ~ '.' ~ adapter.quote(node.identifier)
        ~ ' as select ' ~ columns | join(', ') ~ ' ' ~ rows
    ) -%}
{%- endmacro %}

{# An external table on the folder; files are found when it is read, so a landing registers nothing. #}
{% macro athena__create_lake_source(node, move) -%}
    {%- set columns = [] -%}
    {%- for column in node.columns.values() -%}
        {%- do columns.append((column.name, ddl_data_type(column.data_type))) -%}
    {%- endfor -%}
    {%- do ensure_external_table(node, node.identifier, columns, 'stored as parquet', move) -%}
{%- endmacro %}
