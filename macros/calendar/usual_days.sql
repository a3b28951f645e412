{#
    CTEs that end in `judged_days`: the CTE `days` with is_usual, whether its weekday is one on which the key usually
    reports. That is so when it was missed hardly ever in the eight reported weeks before, nor in the eight after.

    `days` has one row a day of each week that the key reported, with week_end_date, days_before_week_end,
    is_reported, is_counted (whether the day says something about the habit; a reported one does) and
    is_usual_elsewhere (what is taken while the key itself has too few weeks).

    keys: columns that name who reports.
    most_missed: how many of the weeks on each side may lack the day.
    least_weeks: fewer weeks around than these are too few.
#}
{% macro usual_days(keys, most_missed, least_weeks) -%}
evidence as (

    select
        days.*,
        {% for side, frame in [('before', '8 preceding and 1 preceding'), ('after', '1 following and 8 following')] -%}
            {%- for name, condition in [('counted', 'is_counted'), ('missed', 'is_counted and not is_reported')] -%}
                coalesce(sum(case when {{ condition }} then 1 else 0 end) over (
                    partition by {{ keys | join(', ') }}, days_before_week_end
                    order by week_end_date
                    rows between {{ frame }}
                ), 0) as n_{{ name }}_{{ side }}
                {{- ',\n        ' if not (loop.last and side == 'after') }}
            {%- endfor -%}
        {%- endfor %}

    from days

),

-- Both sides count: who changes the day of rest has neither of the two as a usual day for a while.
judged_days as (

    select
        evidence.*,
        n_missed_before <= {{ most_missed }}
        and n_missed_after <= {{ most_missed }}
        and (n_counted_before + n_counted_after >= 8 or n_missed_before + n_missed_after <= {{ most_missed }})
        and (n_counted_before + n_counted_after >= {{ least_weeks }} or is_usual_elsewhere) as is_usual

    from evidence

)
{%- endmacro %}
