{#
    The text of a store or department as a key: spellings that nobody tells apart by eye become one.

    White space of any kind is a blank, a run of it is one blank, at the ends there is none. Characters without a width
    are gone. Letters are in Unicode's composed form, and Excel's ="7" is 7. Spellings that can mean two things, such
    as 1 and 01, stay two: look_alike_key finds them.
#}
{% macro normalised_key(text) -%}
    {#- Soft hyphen, zero-width blanks and joiners, marks of direction, byte order mark. -#}
    {%- set unseen = [173, 1564, 6158, 8203, 8204, 8205, 8206, 8207, 8234, 8235, 8236, 8237, 8238, 8288, 8294, 8295,
        8296, 8297, 65279] -%}
    {%- set seen = replace_matches(text, any_of_code_points(unseen), '') -%}
    case
        -- Nearly all keys are as they should be, and seeing that is cheap.
        when {{ matches(text, '\\A[!-<>-~][!-~]*( [!-~]+)*\\z') }} then {{ text }}
        else {{ nfc(replace_matches(trimmed(seen), "'^=\" ?([^\"]*?) ?\"$'", '\\1')) }}
    end
{%- endmacro %}
