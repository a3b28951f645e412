{#
    Rows for which the expression is false or null.

    checked_runs: a relation with the runs whose rows are looked at; default all rows.
#}
{% test expression_is_true(model, expression, checked_runs=none) %}

select * from {{ model }}
where
    not coalesce({{ expression }}, false)
    {% if checked_runs -%}
        and {{ is_checked_run(checked_runs) }}
    {% endif %}

{% endtest %}
