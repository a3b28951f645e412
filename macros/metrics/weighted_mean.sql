{# A weighted mean of doubles, whatever the order of the rows; the plain one where no row has a weight. #}
{% macro weighted_mean(value, weight) -%}
    coalesce(
        cast(sum({{ exact(weight ~ ' * ' ~ value) }}) as double) / nullif(cast(sum({{ exact(weight) }}) as double), 0e0),
        {{ exact_mean(value) }}
    )
{%- endmacro %}
