{#
    A text without white space at its ends, and with one blank for each run of it within.

    What trim() itself takes differs between engines: blanks alone, or all of ASCII's white space.
#}
{% macro trimmed(text) -%}
    {#- What Python calls white space, as code points. -#}
    {%- set blanks = [9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198,
        8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288] -%}
    trim({{ replace_matches(text, any_of_code_points(blanks), ' ') }})
{%- endmacro %}

{# A pattern of one or more of these characters, without writing what no editor shows. #}
{% macro any_of_code_points(points) -%}
    '[' {%- for point in points %} || chr({{ point }}){% endfor %} || ']+'
{%- endmacro %}
