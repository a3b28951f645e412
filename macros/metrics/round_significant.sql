{#
    A double rounded to six significant digits.

    Large numbers are divided and small ones multiplied, by a whole power of
    ten each, so that both engines give the double nearest to the decimal.
#}
{% macro round_significant(value) -%}
    case
        when {{ value }} is null or {{ value }} = 0e0 then {{ value }}
        when abs({{ value }}) >= 1e6
            then
                round({{ value }} / power(1e1, floor(log10(abs({{ value }}))) - 5))
                * power(1e1, floor(log10(abs({{ value }}))) - 5)
        else
            round({{ value }} * power(1e1, 5 - floor(log10(abs({{ value }})))))
            / power(1e1, 5 - floor(log10(abs({{ value }}))))
    end
{%- endmacro %}
