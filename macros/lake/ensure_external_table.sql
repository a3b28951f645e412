{#
    Makes an external table on a folder of the lake, unless Glue has it as it should be.

    Glue is asked, not Athena: while nothing changed, a run sends no statement for it.

    node: a lake source; the table is made in its schema.
    name: folder in the lake, and name of the table.
    columns: list of (name, Hive type).
    storage: the clause on the format of the files.
    move: let a table that stands on another lake move to this one.
#}
{% macro ensure_external_table(node, name, columns, storage, move=false) -%}
    {%- set relation = api.Relation.create(
        database=node.database, schema=node.schema, identifier=name, type='table'
    ) -%}
    {%- set location = lake_path() ~ '/' ~ name ~ '/' -%}
    {%- set found = adapter.get_glue_table(relation) -%}
    {%- if found -%}
        {%- set held = found['Table']['StorageDescriptor'] -%}
        {%- set held_location = held['Location'].rstrip('/') ~ '/' -%}
        {%- if held_location != location and not move -%}
            {{ exceptions.raise_compiler_error(
                'The lake table ' ~ relation ~ ' stands on ' ~ held_location ~ ', but SALESCAST_LAKE is '
                ~ lake_path() ~ '. Set SALESCAST_LAKE to that lake, or SALESCAST_SCHEMA to a prefix of its own. If the '
                ~ "lake has moved: dbt run-operation create_lake_sources --args '{move: true}'."
            ) }}
        {%- endif -%}
        {%- set held_columns = [] -%}
        {%- for column in held['Columns'] -%}
            {%- do held_columns.append((column['Name'], column['Type'])) -%}
        {%- endfor -%}
        {#- Commands that only read do not change what others read. -#}
        {%- if (held_columns == columns and held_location == location) or flags.WHICH in ['test', 'show'] -%}
            {{ return(relation) }}
        {%- endif -%}
        {%- do log('the lake table ' ~ relation ~ ' is made again on ' ~ location ~ ' (was ' ~ held_location
            ~ ', ' ~ held_columns | length ~ ' columns)', info=true) -%}
        {#- Only the entry in Glue: the files belong to the lake. -#}
        {%- do adapter.delete_from_glue_catalog(relation) -%}
    {%- endif -%}
    {%- set ddl_columns = [] -%}
    {%- for column, type in columns -%}
        {%- do ddl_columns.append('`' ~ column ~ '` ' ~ type) -%}
    {%- endfor -%}
    {%- do run_query(
        'create external table ' ~ relation.render_hive() ~ ' (' ~ ddl_columns | join(', ') ~ ') '
        ~ storage ~ " location '" ~ location ~ "'"
    ) -%}
    {{ return(relation) }}
{%- endmacro %}
