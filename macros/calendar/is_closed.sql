{#
    Whether all days from first_day to last_day lie in the time in which a store or series does not trade.

    opened_on is its first day of trading and closed_on its last one, null without word. Who opens after the day of
    closing opens again: it is closed between the two. Otherwise it is closed before opened_on and after closed_on.
#}
{% macro is_closed(first_day, last_day, opened_on, closed_on) -%}
    coalesce(
        case
            when {{ opened_on }} > {{ closed_on }} then {{ first_day }} > {{ closed_on }} and {{ last_day }} < {{ opened_on }}
            else {{ last_day }} < {{ opened_on }} or {{ first_day }} > {{ closed_on }}
        end,
        false
    )
{%- endmacro %}

{# The same of a whole week, named by its last day. #}
{% macro is_closed_week(week_end_date, opened_on, closed_on) -%}
    {{ is_closed('cast(' ~ week_end_date ~ " - interval '6' day as date)", week_end_date, opened_on, closed_on) }}
{%- endmacro %}
