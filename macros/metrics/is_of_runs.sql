{#
    Condition that a row's run is one of those that a query gives, with the run ids in it as literals.

    By literals both engines leave out files and row groups of other runs, by a join only where they wait for its other
    side. For very many runs it stays a query.

    query: gives one column of run ids.
    relations: what it reads.
    column: the run id of the row.
#}
{% macro is_of_runs(query, relations, column='run_id') -%}
    {%- set most = 500 -%}
    {%- set is_asked = can_be_asked(relations) -%}
    {%- set run_ids = run_query(query ~ ' limit ' ~ (most + 1)).columns[0].values() if is_asked else [] -%}
    {%- if not is_asked or run_ids | length > most -%}
        {{ column }} in ({{ query }})
    {%- elif run_ids -%}
        {{ column }} in (
            {%- for run_id in run_ids -%}
                '{{ run_id | replace("'", "''") }}'{{ ', ' if not loop.last }}
            {%- endfor -%}
        )
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}
