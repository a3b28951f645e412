{#
    CTEs that give each row of the CTE `typed` its status and reason.

    `typed` carries load_id, delivery_id, between_deliveries, source_row,
    is_retracted, reason (null where the row can be read) and the columns of
    the key. Of two rows for one key the one of the later delivery supersedes
    the other, unless the later delivery adds. Within a delivery the first row
    counts and the others are rejected, unless sum_duplicates is true. Only
    repeated keys are ranked, so that a clean landing costs one aggregation.
    The result is the CTE `judged`.

    row: columns that name a row.
    line_id: column that names a line of a till or shop; the same line counts
    once, as the later delivery has it.
#}
{% macro judge_rows(key, sum_duplicates='false', row=['load_id', 'source_row'], line_id=none) -%}
    {%- set usable_key = [] -%}
    {%- for column in key -%}
        {%- do usable_key.append('usable.' ~ column) -%}
    {%- endfor -%}
    readable as (

        select * from typed
        where not is_retracted and reason is null

    ),

    {% if line_id -%}
        repeated_lines as (

            select {{ line_id }} from readable
            where {{ line_id }} is not null
            group by 1
            having count(*) > 1

        ),

        ranked_lines as (

            select
                {% for column in row -%}
                    readable.{{ column }},
                {% endfor -%}
                readable.delivery_id,
                max(readable.delivery_id) over (partition by readable.{{ line_id }}) as newest_delivery_id,
                row_number() over (
                    partition by readable.{{ line_id }}
                    order by readable.delivery_id desc, readable.load_id asc, readable.source_row asc
                ) as line_rank

            from readable
            inner join repeated_lines on readable.{{ line_id }} = repeated_lines.{{ line_id }}

        ),

        repeats as (

            select * from ranked_lines
            where line_rank > 1

        ),

        usable as (

            select readable.*
            from readable
            left join repeats
                on
                    {% for column in row -%}
                        {{ 'and ' if not loop.first }}readable.{{ column }} = repeats.{{ column }}
                    {% endfor %}
            where repeats.line_rank is null

        ),
    {%- else -%}
        usable as (

            select * from readable

        ),
    {%- endif %}

    repeated_keys as (

        select {{ key | join(', ') }} from usable
        group by {{ range(1, key | length + 1) | join(', ') }}
        having count(*) > 1

    ),

    ranked_rows as (

        select
            {% for column in row -%}
                usable.{{ column }},
            {% endfor -%}
            usable.delivery_id,
            max(case when usable.between_deliveries = 'restates' then usable.delivery_id end) over (
                partition by {{ usable_key | join(', ') }}
            ) as restated_by_delivery_id,
            row_number() over (
                partition by {{ usable_key | join(', ') }}, usable.delivery_id
                order by usable.load_id, usable.source_row
            ) as row_rank

        from usable
        inner join repeated_keys
            on
                {% for column in key -%}
                    {{ 'and ' if not loop.first }}usable.{{ column }} = repeated_keys.{{ column }}
                {% endfor %}
    ),

    judged as (

        select
            typed.*,
            case
                when typed.is_retracted then 'retracted'
                when typed.reason is not null then 'rejected'
                {% if line_id -%}
                    when repeats.delivery_id < repeats.newest_delivery_id then 'superseded'
                    when repeats.line_rank > 1 then 'rejected'
                {% endif -%}
                when ranked_rows.delivery_id < ranked_rows.restated_by_delivery_id then 'superseded'
                when ranked_rows.row_rank > 1 and not {{ sum_duplicates }} then 'rejected'
                else 'accepted'
            end as row_status,
            case
                when typed.is_retracted then cast(null as varchar)
                when typed.reason is not null then typed.reason
                {% if line_id -%}
                    when repeats.delivery_id < repeats.newest_delivery_id then cast(null as varchar)
                    when repeats.line_rank > 1 then 'duplicate_line'
                {% endif -%}
                when ranked_rows.delivery_id < ranked_rows.restated_by_delivery_id then cast(null as varchar)
                when ranked_rows.row_rank > 1 and not {{ sum_duplicates }} then 'duplicate_key'
            end as rejection_reason

        from typed
        left join ranked_rows
            on
                {% for column in row -%}
                    {{ 'and ' if not loop.first }}typed.{{ column }} = ranked_rows.{{ column }}
                {% endfor %}
        {% if line_id -%}
            left join repeats
                on
                    {% for column in row -%}
                        {{ 'and ' if not loop.first }}typed.{{ column }} = repeats.{{ column }}
                    {% endfor %}
        {%- endif %}
    )
{%- endmacro %}
