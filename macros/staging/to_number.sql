{#
    A text as a double; null unless it is a plain decimal number.

    The pattern stands before the cast because the engines' try_cast accept
    different words (inf, nan, 1_000, 1d).
#}
{% macro to_number(text) -%}
    case
        when {{ matches('trim(' ~ text ~ ')', '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$') }}
            then try_cast(trim({{ text }}) as double)
    end
{%- endmacro %}
