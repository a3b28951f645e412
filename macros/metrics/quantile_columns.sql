{# The quantile columns of a forecast, in order, from a relation of the query if one is named. #}
{% macro quantile_columns(relation=none) -%}
    {%- set columns = [] -%}
    {%- for column, level in quantile_levels() -%}
        {%- do columns.append((relation ~ '.' if relation else '') ~ column) -%}
    {%- endfor -%}
    {{ columns | join(', ') }}
{%- endmacro %}

{#
    The quantile columns of an aggregate: p50 as a point forecast, from a relation of the query if one is named, the
    others null because quantiles do not add up.
#}
{% macro aggregate_quantile_columns(relation=none) -%}
    {%- set columns = [] -%}
    {%- for column, level in quantile_levels() -%}
        {%- do columns.append((relation ~ '.' if relation else '') ~ 'p50' if column == 'p50' else 'cast(null as double) as ' ~ column) -%}
    {%- endfor -%}
    {{ columns | join(', ') }}
{%- endmacro %}
