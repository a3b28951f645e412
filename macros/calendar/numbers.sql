{# A CTE body: one column n with 0 to 9,999, without an engine's own series function. #}
{% macro numbers() -%}
    select d0.n + 10 * d1.n + 100 * d2.n + 1000 * d3.n as n
    from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as d0 (n)
    cross join (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as d1 (n)
    cross join (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as d2 (n)
    cross join (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as d3 (n)
{%- endmacro %}
