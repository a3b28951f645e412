{#
    Whether a statement that is being made may ask relations for values to name in it.

    Not in `dbt compile`, whose statements may be run later, not in unit tests, whose relations are rows of their own, and
    not while a relation is not there yet.
#}
{% macro can_be_asked(relations) -%}
    {%- set unknown = [] -%}
    {%- if execute and flags.WHICH != 'compile' -%}
        {%- for relation in relations -%}
            {%- if relation is string or relation.schema is none or load_relation(relation) is none -%}
                {%- do unknown.append(relation) -%}
            {%- endif -%}
        {%- endfor -%}
        {{ return(not unknown) }}
    {%- endif -%}
    {{ return(false) }}
{%- endmacro %}
