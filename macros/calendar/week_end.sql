{# The last day of the week that holds a date; `anchor` is any date on which weeks end. #}
{% macro week_end(date, anchor) -%}
    cast({{ date }} + interval '1' day * mod(7 - mod(date_diff('day', {{ anchor }}, {{ date }}), 7), 7) as date)
{%- endmacro %}
