{#
    For a pre-hook: stops a model that holds rows when what it is made from has none.

    A lake that lost its files, or a wrong SALESCAST_LAKE, would otherwise empty
    a table, and everything after it, without an error.

    sources: relations that must have a row.
    only: which rows of the model count; default all.
#}
{% macro refuse_empty_source(sources, only='true') -%}
    {%- if execute -%}
        {%- set held = load_relation(this) -%}
        {%- if held is not none and not held.is_view -%}
            {%- set counts = [] -%}
            {%- for relation in [held ~ ' where ' ~ only] + sources -%}
                {%- do counts.append('(select count(*) from (select 1 as n from ' ~ relation ~ ' limit 1) as first_row)') -%}
            {%- endfor -%}
            {%- set found = run_query('select ' ~ counts | join(', ')).rows[0] -%}
            {%- for relation in sources -%}
                {%- if found[0] and not found[loop.index] -%}
                    {{ exceptions.raise_compiler_error(
                        relation ~ ' has no row, but ' ~ this ~ ' has: building it would empty it. See whether '
                        ~ 'SALESCAST_LAKE (' ~ lake_path() ~ ') names the right lake and whether its files are there. '
                        ~ 'If the rows shall really go, drop ' ~ this ~ ' by hand and build again.'
                    ) }}
                {%- endif -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
