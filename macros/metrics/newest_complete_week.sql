{#
    The newest complete week as a literal, by which engines leave out files of earlier weeks; the first of all dates
    where there is none.

    weeks: dim_week.
#}
{% macro newest_complete_week(weeks) -%}
    {%- set query -%}
        select coalesce(max(weeks.week_end_date), date '0001-01-01') from {{ weeks }} as weeks where weeks.is_complete
    {%- endset -%}
    {%- if can_be_asked([weeks]) -%}
        date '{{ run_query(query).columns[0].values()[0] }}'
    {%- else -%}
        ({{ query }})
    {%- endif -%}
{%- endmacro %}
