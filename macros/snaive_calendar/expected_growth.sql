{#
    What a part of the growth is expected to be some weeks ahead: the short window fades into the longer one.

    fading: 0.9 to the power of the weeks ahead, or its mean over some weeks.
#}
{% macro expected_growth(short_growth, long_growth, fading) -%}
    0.85e0 * {{ fading }} * {{ short_growth }} + 0.7e0 * (1e0 - {{ fading }}) * {{ long_growth }}
{%- endmacro %}
