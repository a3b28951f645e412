{#
    The text of a store or department as a key: spellings that nobody tells apart by eye become one.

    White space of any kind is a blank, a run of it is one blank, at the ends there is none. Characters without a width
    are gone. Letters are in Unicode's composed form, and Excel's ="7" is 7. Spellings that can mean two things, such
    as 1 and 01, stay two: look_alike_key finds them.
#}
{% macro normalised_key(text) -%}
    {#- What Python calls white space, as code points. -#}
    {%- set blanks = [9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198,
        8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288] -%}
    {#- Soft hyphen, zero-width blanks and joiners, marks of direction, byte order mark. -#}
    {%- set unseen = [173, 1564, 6158, 8203, 8204, 8205, 8206, 8207, 8234, 8235, 8236, 8237, 8238, 8288, 8294, 8295,
        8296, 8297, 65279] -%}
    {%- set seen = replace_matches(text, any_of_code_points(unseen), '') -%}
    {%- set single_blanks = 'trim(' ~ replace_matches(seen, any_of_code_points(blanks), ' ') ~ ')' -%}
    case
        -- Nearly all keys are as they should be, and seeing that is cheap.
        when {{ matches(text, '\\A[!-<>-~][!-~]*( [!-~]+)*\\z') }} then {{ text }}
        else {{ nfc(replace_matches(single_blanks, "'^=\" ?([^\"]*?) ?\"$'", '\\1')) }}
    end
{%- endmacro %}

{# A pattern of one or more of these characters, without writing what no editor shows. #}
{% macro any_of_code_points(points) -%}
    '[' {%- for point in points %} || chr({{ point }}){% endfor %} || ']+'
{%- endmacro %}
