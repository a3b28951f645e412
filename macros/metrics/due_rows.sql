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
