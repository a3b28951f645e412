{#
    Condition that a row's run is one of those that a query gives, with the run ids in it as literals.

    By literals both engines leave out files and row groups of other runs, by a join only where they wait for its other
    side. Where the relations are not there yet, in unit tests, and for very many runs it stays a query.

    query: gives one column of run ids.
    relations: what it reads.
    column: the run id of the row.
#}
{% macro is_of_runs(query, relations, column='run_id') -%}
    {%- set is_executed = execute and flags.WHICH != 'compile' -%}
    {%- set missing = [] if is_executed else ['not executed'] -%}
    {%- if is_executed -%}
        {%- for relation in relations if relation is string or relation.schema is none or load_relation(relation) is none -%}
            {%- do missing.append(relation) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set most = 500 -%}
    {%- set run_ids = [] if missing else run_query(query ~ ' limit ' ~ (most + 1)).columns[0].values() -%}
    {%- if missing or run_ids | length > most -%}
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
