{#
    CTEs of an incremental model: `name` has the rows of `inputs` that the model has not been made of yet.

    name: of the last CTE.
    inputs: a CTE that stands before.
    keys: columns of both that say what a row was made of.
    made: the model as it is; none where all of it is to be made.
#}
{% macro due_rows(name, inputs, keys, made=none) -%}
{% if made -%}
made as (

    select distinct {{ keys | join(', ') }}
    from {{ made }}

),

{{ name }} as (

    select {{ inputs }}.*
    from {{ inputs }}
    left join made
        on
            {% for key in keys -%}
            {{ 'and ' if not loop.first }}{{ inputs }}.{{ key }} = made.{{ key }}
            {% endfor -%}
    where made.{{ keys[0] }} is null

)
{%- else -%}
{{ name }} as (

    select * from {{ inputs }}

)
{%- endif %}
{%- endmacro %}


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
            select inputs.{{ run_column }} from {{ inputs }} as inputs
            left join (select distinct {{ keys | join(', ') }} from {{ made }}) as made
            on {% for key in keys %}{{ 'and ' if not loop.first }}inputs.{{ key }} = made.{{ key }} {% endfor -%}
            where made.{{ keys[0] }} is null and inputs.{{ run_column }} is not null
        {%- endset -%}
        {%- do queries.append(query) -%}
    {%- endfor -%}
    {%- set query = queries | join(' union ') if queries | length > 1 else queries[0] | replace('select inputs', 'select distinct inputs', 1) -%}
    where {{ is_of_runs(query, [inputs, made]) }}
{%- endif %}
{%- endmacro %}
