{#
    A number for what the rows of a group of a lake table hold, in whatever order they are.

    A row that is gone, comes twice or has another value in any column changes
    it. python/salescast/lake/digest.py computes the same when rows land. A null
    leaves no trace, so that digests outlive a column that is added.

    table: name of a lake source. What names the landing of a row does not count.
#}
{% macro rows_digest(table) -%}
    {%- set parts = [] -%}
    {%- if execute -%}
        {%- set node = graph.sources.values()
            | selectattr('source_name', 'equalto', 'lake') | selectattr('name', 'equalto', table) | first -%}
        {%- set of_landing = ['load_id', 'loaded_at', 'source_file', 'run_id', 'schema_version'] -%}
        {%- for column in node.columns.values() | sort(attribute='name') if column.name not in of_landing -%}
            {%- set value = adapter.quote(column.name) -%}
            {%- if column.data_type == 'double' -%}
                {%- set value = double_bits(value) -%}
            {%- endif -%}
            {%- do parts.append(
                "coalesce('" ~ column.name ~ "=' || cast(" ~ value ~ " as varchar) || chr(31), '')"
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    cast(sum({{ text_number(parts | join(' || ') or "''") }}) as bigint)
{%- endmacro %}

{# Number of rows and digest of each load of the raw tables, as the lake's files hold them now. #}
{% macro digests_by_load() -%}
    {% for table in ['raw_sales', 'raw_related', 'raw_stores', 'raw_departments', 'raw_series_changes'] -%}
        select
            '{{ table }}' as table_name,
            load_id,
            count(*) as n_rows,
            {{ rows_digest(table) }} as rows_digest

        from {{ source('lake', table) }}
        group by 1, 2
        {{ 'union all' if not loop.last }}
    {% endfor -%}
{%- endmacro %}
