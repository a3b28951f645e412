{#
    Makes an external table on a folder of the lake, unless Glue has it as it should be.

    Glue is asked, not Athena: while nothing changed, a run sends no statement for it.

    node: a lake source; the table is made in its schema.
    name: folder in the lake, and name of the table.
    columns: list of (name, Hive type).
    storage: the clause on the format of the files.
#}
{% macro ensure_external_table(node, name, columns, storage) -%}
    {%- set relation = api.Relation.create(
        database=node.database, schema=node.schema, identifier=name, type='table'
    ) -%}
    {%- set location = lake_path() ~ '/' ~ name ~ '/' -%}
    {%- set found = adapter.get_glue_table(relation) -%}
    {%- if found -%}
        {%- set held = found['Table']['StorageDescriptor'] -%}
        {%- set held_columns = [] -%}
        {%- for column in held['Columns'] -%}
            {%- do held_columns.append((column['Name'], column['Type'])) -%}
        {%- endfor -%}
        {%- if held_columns == columns and held['Location'].rstrip('/') ~ '/' == location -%}
            {{ return(relation) }}
        {%- endif -%}
        {%- do log('the lake table ' ~ relation ~ ' is made again on ' ~ location ~ ' (was ' ~ held['Location']
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
