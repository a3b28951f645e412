{#
    Names of what in a row could not be used although the row counts, separated by a blank; null where there is nothing.

    problems: the condition of each problem, by its name.
#}
{% macro row_problems(problems) -%}
    nullif(trim(
        {%- for name, condition in problems.items() %}
            {{ '|| ' if not loop.first }}case when {{ condition }} then '{{ name }} ' else '' end
        {%- endfor %}
        ), '')
{%- endmacro %}
