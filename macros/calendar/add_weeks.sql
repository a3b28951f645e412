{# A date some whole weeks later. #}
{% macro add_weeks(date, weeks) -%}
    cast({{ date }} + interval '7' day * ({{ weeks }}) as date)
{%- endmacro %}
