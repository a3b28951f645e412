{# A text as a boolean; null unless it is one of the usual words. #}
{% macro to_boolean(text) -%}
    case
        when lower({{ trimmed(text) }}) in ('true', 't', '1', '1.0', 'yes', 'y') then true
        when lower({{ trimmed(text) }}) in ('false', 'f', '0', '0.0', 'no', 'n') then false
    end
{%- endmacro %}
