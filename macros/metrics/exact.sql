{# A double as a decimal: sums of decimals do not depend on the order of the rows, those of doubles do. #}
{% macro exact(value) -%}
    cast({{ value }} as decimal(38, 10))
{%- endmacro %}
