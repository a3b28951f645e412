{# Rows that repeat the key, or in which a part of it is null. #}
{% test key_is_unique(model, columns) %}

with

keys as (

    select
        {{ columns | join(',\n        ') }},
        count(*) as n_rows

    from {{ model }}
    group by {{ range(1, columns | length + 1) | join(', ') }}

)

select * from keys
where
    n_rows > 1
    {% for column in columns -%}
        or {{ column }} is null
    {% endfor %}

{% endtest %}
