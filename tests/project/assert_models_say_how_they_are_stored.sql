-- dbt-athena's default for an incremental model appends without a word, and its default for a table drops it first.
{% set faults = [] -%}
{%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
    {%- set config = node.config -%}
    {%- if config.materialized == 'incremental' -%}
        {%- if config.table_type != 'iceberg' -%}
            {%- do faults.append((node.name, "an incremental model is table_type='iceberg'")) -%}
        {%- endif -%}
        {%- if config.incremental_strategy != 'merge' or not config.unique_key -%}
            {%- do faults.append((node.name, "an incremental model merges on a unique_key")) -%}
        {%- endif -%}
        {%- if config.on_schema_change not in ['append_new_columns', 'fail'] -%}
            {%- do faults.append((node.name, "an incremental model says what a new column does")) -%}
        {%- endif -%}
    {%- elif config.materialized == 'table' -%}
        {%- if config.table_type != 'hive' or config.ha is not true -%}
            {%- do faults.append((node.name, "a table is table_type='hive' with ha=true")) -%}
        {%- endif -%}
        {%- if config.get('s3_data_naming') != 'schema_table_unique' or config.get('external_location') -%}
            {%- do faults.append((node.name, "a table has a new location for each build")) -%}
        {%- endif -%}
    {%- endif -%}
{%- endfor -%}
with

faults as (

    select
        '' as model_name,
        '' as fault
    {% for name, fault in faults -%}
        union all
        select
            '{{ name }}' as model_name,
            '{{ fault | replace("'", "''") }}' as fault
    {% endfor %}
)

select * from faults
where model_name <> ''
