{#
    CTEs that give each row of the CTE `typed` its status and reason.

    `typed` carries load_id, source_row, is_retracted, reason (null where the
    row can be read) and the key columns. Of two rows for one key the later
    load wins (superseded); within the newest load the first row wins, unless
    sum_duplicates is true. Only repeated keys are ranked, so that a clean
    landing costs one aggregation. The result is the CTE `judged`.
#}
{% macro judge_rows(key, sum_duplicates='false') -%}
    usable as (

        select * from typed
        where not is_retracted and reason is null

    ),

    repeated_keys as (

        select
            {{ key | join(',\n            ') }},
            max(load_id) as newest_load_id

        from usable
        group by {{ range(1, key | length + 1) | join(', ') }}
        having count(*) > 1

    ),

    kept_rows as (

        select
            {% for column in key -%}
                usable.{{ column }},
            {% endfor -%}
            repeated_keys.newest_load_id,
            min(usable.source_row) as kept_source_row

        from usable
        inner join repeated_keys
            on
                usable.load_id = repeated_keys.newest_load_id
                {% for column in key -%}
                    and usable.{{ column }} = repeated_keys.{{ column }}
                {% endfor %}
        group by {{ range(1, key | length + 2) | join(', ') }}

    ),

    judged as (

        select
            typed.*,
            case
                when typed.is_retracted then 'retracted'
                when typed.reason is not null then 'rejected'
                when typed.load_id < kept_rows.newest_load_id then 'superseded'
                when
                    typed.source_row > kept_rows.kept_source_row and not {{ sum_duplicates }}
                    then 'rejected'
                else 'accepted'
            end as row_status,
            case
                when typed.is_retracted then cast(null as varchar)
                when typed.reason is not null then typed.reason
                when
                    typed.load_id = kept_rows.newest_load_id
                    and typed.source_row > kept_rows.kept_source_row
                    and not {{ sum_duplicates }}
                    then 'duplicate_key'
            end as rejection_reason

        from typed
        left join kept_rows
            on
                {% for column in key -%}
                    {{ 'and ' if not loop.first }}typed.{{ column }} = kept_rows.{{ column }}
                {% endfor %}
    )
{%- endmacro %}
