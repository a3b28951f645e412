{# The mean of doubles as a double, whatever the order of the rows. #}
{% macro exact_mean(value) -%}
    cast(sum({{ exact(value) }}) as double) / count({{ value }})
{%- endmacro %}
