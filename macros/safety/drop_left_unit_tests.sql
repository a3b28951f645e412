{#
    Drops the tables of unit tests that a build before has left.

    On Athena a unit test makes a table and drops it. One that was killed, or
    whose SQL failed, leaves it, and the next could not make its own.
#}
{% macro drop_left_unit_tests() -%}
    {{ return(adapter.dispatch('drop_left_unit_tests', 'salescast')()) }}
{%- endmacro %}

{% macro default__drop_left_unit_tests() -%}
    {{ exceptions.raise_compiler_error(
        "drop_left_unit_tests has no implementation for adapter " ~ target.type
    ) }}
{%- endmacro %}

{# Its tables are temporary ones. #}
{% macro duckdb__drop_left_unit_tests() -%}
{%- endmacro %}

{% macro athena__drop_left_unit_tests() -%}
    {%- if execute -%}
        {%- for id in selected_resources if id.startswith('unit_test.') -%}
            {%- set unit_test = graph.unit_tests[id] -%}
            {%- set tested = graph.nodes[unit_test.depends_on.nodes[0]] -%}
            {%- set left = adapter.get_relation(tested.database, tested.schema, unit_test.name ~ '__dbt_tmp') -%}
            {%- if left is not none -%}
                {%- do adapter.drop_relation(left) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
