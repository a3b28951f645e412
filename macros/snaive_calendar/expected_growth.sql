{#
    What a part of the growth is expected to be some weeks ahead: the short window fades into the longer one.

    growth: a relation with short_growth and long_growth; where one is unknown there is none beyond the other levels.
    fading: 0.9 to the power of the weeks ahead, or its mean over some weeks.
#}
{% macro expected_growth(growth, fading) -%}
    0.85e0 * {{ fading }} * {{ growth }}.short_growth + 0.7e0 * (1e0 - {{ fading }}) * {{ growth }}.long_growth
{%- endmacro %}
