{#
    What a key has in common with others that a person may mean by it: 1, 01 and 1.0; Berlin and BERLIN; A-1 and A 1.

    Only for telling them: two keys that look alike may be two stores.
#}
{% macro look_alike_key(key) -%}
    {#- Excel's sign of a text, and the decimals of a number that a program took for a decimal one. -#}
    {%- set plain = replace_matches('lower(' ~ key ~ ')', "'^' || chr(39)", '') -%}
    {%- set whole = replace_matches(plain, "'^([0-9]+)[.,]0+$'", '\\1') -%}
    {#- Between digits a sign divides two numbers: 1-11 is not 111. -#}
    {%- set divided = replace_matches(whole, "'[ _-]+'", '-') -%}
    {%- set joined = replace_matches(replace_matches(divided, "'([^0-9])-'", '\\1'), "'-([^0-9])'", '\\1') -%}
    {{ replace_matches(joined, "'(^|[^0-9.,])0+([0-9])'", '\\1\\2') }}
{%- endmacro %}
