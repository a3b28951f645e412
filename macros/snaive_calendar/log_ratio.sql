{# The logarithm of a ratio, held between two bounds; 0 where there is no ratio. #}
{% macro log_ratio(ratio, least_ratio, greatest_ratio) -%}
    ln(greatest(least(coalesce({{ ratio }}, 1e0), {{ greatest_ratio }}), {{ least_ratio }}))
{%- endmacro %}
