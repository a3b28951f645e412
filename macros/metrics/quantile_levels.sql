{# The quantiles that every forecast row carries: column name and level. #}
{% macro quantile_levels() -%}
    {{ return([
        ('p05', '0.05e0'), ('p10', '0.1e0'), ('p20', '0.2e0'), ('p30', '0.3e0'), ('p40', '0.4e0'), ('p50', '0.5e0'),
        ('p60', '0.6e0'), ('p70', '0.7e0'), ('p80', '0.8e0'), ('p90', '0.9e0'), ('p95', '0.95e0')
    ]) }}
{%- endmacro %}
