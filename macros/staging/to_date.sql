{# A text as a date; null unless it is a real day written as YYYY-MM-DD. #}
{% macro to_date(text) -%}
    case
        when {{ matches('trim(' ~ text ~ ')', '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') }}
            then try_cast(trim({{ text }}) as date)
    end
{%- endmacro %}
