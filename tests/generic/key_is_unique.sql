{#
    Rows that repeat the key, or in which a part of it is null.

    checked_runs: a relation with the runs whose rows are looked at; default all rows.
#}
{% test key_is_unique(model, columns, checked_runs=none) %}

with

keys as (

    select
        {{ columns | join(',\n        ') }},
        count(*) as n_rows

    from {{ model }}
    {% if checked_runs -%}
        where {{ is_checked_run(checked_runs) }}
    {% endif -%}
    group by {{ range(1, columns | length + 1) | join(', ') }}

)

select * from keys
where
    n_rows > 1
    {% for column in columns -%}
        or {{ column }} is null
    {% endfor %}

{% endtest %}
