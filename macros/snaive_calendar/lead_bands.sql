{# The lead bands of snaive_calendar: name, first and last week ahead. #}
{% macro lead_bands() -%}
    {{ return([('1-4', 1, 4), ('5-13', 5, 13), ('14-26', 14, 26), ('27+', 27, none)]) }}
{%- endmacro %}

{# The lead band, counted from 1, of so many weeks ahead. #}
{% macro lead_band(horizon_weeks) -%}
    case
        {% for name, first, last in lead_bands() if last -%}
            when {{ horizon_weeks }} <= {{ last }} then {{ loop.index }}
        {% endfor -%}
        else {{ lead_bands() | length }}
    end
{%- endmacro %}
