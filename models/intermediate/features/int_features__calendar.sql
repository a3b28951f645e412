with

spine as (

    select * from {{ ref('int_week__spine') }}

),

calendar_events as (

    select * from {{ ref('stg_retail__calendar_events') }}

),

event_names as (

    select
        event_name,
        max(lead_days) as lead_days

    from calendar_events
    group by 1

),

event_days as (

    select
        'event:' || calendar_events.event_name as feature_name,
        spine.week_idx,
        cast(count(*) as double) as feature_value

    from spine
    inner join calendar_events
        on
            spine.week_end_date >= calendar_events.event_date
            and cast(spine.week_end_date - interval '7' day as date) < calendar_events.event_date
    group by 1, 2

),

-- Of the lead_days days before an event, those that fall in the week.
lead_days as (

    select
        'lead:' || calendar_events.event_name as feature_name,
        spine.week_idx,
        cast(sum(
            date_diff(
                'day',
                greatest(
                    cast(spine.week_end_date - interval '6' day as date),
                    cast(calendar_events.event_date - interval '1' day * calendar_events.lead_days as date)
                ),
                least(spine.week_end_date, cast(calendar_events.event_date - interval '1' day as date))
            ) + 1
        ) as double) as feature_value

    from spine
    inner join calendar_events
        on
            spine.week_end_date
            >= cast(calendar_events.event_date - interval '1' day * calendar_events.lead_days as date)
            and cast(spine.week_end_date - interval '6' day as date) < calendar_events.event_date
            and calendar_events.lead_days > 0
    group by 1, 2

),

occurrences as (

    select * from event_days
    union all
    select * from lead_days

),

feature_names as (

    select 'event:' || event_name as feature_name from event_names
    union all
    select 'lead:' || event_name as feature_name from event_names
    where lead_days > 0

),

event_features as (

    select
        feature_names.feature_name,
        spine.week_idx,
        coalesce(occurrences.feature_value, 0e0) as feature_value

    from feature_names
    cross join spine
    left join occurrences
        on
            feature_names.feature_name = occurrences.feature_name
            and spine.week_idx = occurrences.week_idx

),

-- The angle of the week's middle day in the year.
angles as (

    select
        week_idx,
        2e0 * pi() * cast(date_diff(
            'day',
            cast(date_trunc('year', cast(week_end_date - interval '3' day as date)) as date),
            cast(week_end_date - interval '3' day as date)
        ) as double) / 365.25e0 as angle

    from spine

),

harmonics as (

    {% for order in [1, 2] -%}
        {% for function in ['sin', 'cos'] -%}
            select
                'annual_{{ function }}_{{ order }}' as feature_name,
                week_idx,
                {{ function }}({{ order }}e0 * angle) as feature_value

            from angles
            {{ 'union all' if not (loop.last and order == 2) }}
        {% endfor -%}
    {% endfor %}
),

final as (

    select
        feature_name,
        week_idx,
        round(feature_value, 6) as feature_value

    from event_features
    union all
    select
        feature_name,
        week_idx,
        round(feature_value, 6) as feature_value

    from harmonics

)

select * from final
