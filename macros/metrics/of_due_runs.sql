{#
    Where clause of what an incremental model reads: rows of the runs that have a row due, as due_rows says.

    inputs: the relation behind its inputs.
    keys, made: as there.
    run_columns: columns of the inputs that name runs to read.
#}
{% macro of_due_runs(inputs, keys, made=none, run_columns=['run_id']) -%}
{%- if made -%}
    {%- set queries = [] -%}
    {%- for run_column in run_columns -%}
        {%- set query -%}
            select distinct inputs.{{ run_column }} from {{ inputs }} as inputs
            left join (select distinct {{ keys | join(', ') }} from {{ made }}) as made
            on {% for key in keys %}{{ 'and ' if not loop.first }}inputs.{{ key }} = made.{{ key }} {% endfor -%}
            where made.{{ keys[0] }} is null and inputs.{{ run_column }} is not null
        {%- endset -%}
        {%- do queries.append(query) -%}
    {%- endfor -%}
    where {{ is_of_runs(queries | join(' union distinct '), [inputs, made]) }}
{%- endif %}
{%- endmacro %}
