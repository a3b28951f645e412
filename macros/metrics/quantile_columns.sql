{# The quantile columns of a forecast, in order, from a relation of the query if one is named. #}
{% macro quantile_columns(relation=none) -%}
    {%- set columns = [] -%}
    {%- for column, level in quantile_levels() -%}
        {%- do columns.append((relation ~ '.' if relation else '') ~ column) -%}
    {%- endfor -%}
    {{ columns | join(', ') }}
{%- endmacro %}
