{# The pinball loss of one quantile, in the unit of the target and without the factor 2 of wQL. #}
{% macro pinball_loss(actual, forecast, quantile) -%}
    case
        when {{ actual }} >= {{ forecast }} then {{ quantile }} * ({{ actual }} - {{ forecast }})
        else (1e0 - {{ quantile }}) * ({{ forecast }} - {{ actual }})
    end
{%- endmacro %}
