{# Whether a relation that exists has a column: tables of an earlier version may lack it. #}
{% macro has_column(relation, column) -%}
    {{ return(execute and column in adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list) }}
{%- endmacro %}
