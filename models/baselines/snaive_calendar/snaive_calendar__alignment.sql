with

spine as (

    select * from {{ ref('int_week__spine') }}

),

calendar_events as (

    select * from {{ ref('stg_retail__calendar_events') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

week_days as (

    select
        spine.week_idx,
        cast(spine.week_end_date - interval '1' day * numbers.n as date) as sales_date

    from spine
    cross join (values (0), (1), (2), (3), (4), (5), (6)) as numbers (n)

),

-- An event that sales lead up to, and the one of its name that is nearest to 52 weeks before.
occurrences as (

    select
        calendar_events.event_name,
        calendar_events.event_date,
        calendar_events.lead_days,
        year_ago.event_date as year_ago_date,
        date_diff('day', year_ago.event_date, calendar_events.event_date) as days_apart,
        row_number() over (
            partition by calendar_events.event_name, calendar_events.event_date
            order by abs(date_diff('day', year_ago.event_date, calendar_events.event_date) - 364), year_ago.event_date
        ) as nearness

    from calendar_events
    inner join calendar_events as year_ago on calendar_events.event_name = year_ago.event_name
    where
        calendar_events.lead_days > 0
        and date_diff('day', year_ago.event_date, calendar_events.event_date) between 329 and 399

),

-- What moves by a day or two falls into the same week 364 days back.
moved_events as (

    select * from occurrences
    where nearness = 1 and abs(days_apart - 364) >= 7

),

-- Of events whose days meet, as Good Friday and Easter, the next one counts: they move together.
located_days as (

    select
        week_days.week_idx,
        week_days.sales_date,
        coming.days_apart as days_to_event_year_ago,
        displaced.days_apart as days_that_displace,
        row_number() over (
            partition by week_days.sales_date
            order by
                coming.event_date nulls last, coming.event_name nulls last,
                displaced.event_date nulls last, displaced.event_name nulls last
        ) as event_rank

    from week_days
    left join moved_events as coming
        on
            week_days.sales_date <= coming.event_date
            and week_days.sales_date >= cast(coming.event_date - interval '1' day * coming.lead_days as date)
    left join moved_events as displaced
        on
            cast(week_days.sales_date - interval '364' day as date) <= displaced.year_ago_date
            and cast(week_days.sales_date - interval '364' day as date)
            >= cast(displaced.year_ago_date - interval '1' day * displaced.lead_days as date)

),

-- The days before an event change places with those that lie where it was a year ago.
source_days as (

    select
        located_days.week_idx,
        cast(
            case
                when located_days.days_to_event_year_ago is not null
                    then located_days.sales_date - interval '1' day * located_days.days_to_event_year_ago
                when located_days.days_that_displace is not null
                    then located_days.sales_date - interval '1' day * (728 - located_days.days_that_displace)
                when extract(month from located_days.sales_date) = 12
                    then located_days.sales_date - interval '1' year
                else located_days.sales_date - interval '364' day
            end as date
        ) as source_date

    from located_days
    where located_days.event_rank = 1

),

source_weeks as (

    select
        source_days.week_idx,
        {{ week_end('source_days.source_date', 'settings.week_anchor') }} as source_week_end_date

    from source_days
    cross join settings

),

one_season_back as (

    select
        source_weeks.week_idx,
        spine.week_idx as source_week_idx,
        count(*) as n_days

    from source_weeks
    inner join spine on source_weeks.source_week_end_date = spine.week_end_date
    group by 1, 2

),

two_seasons_back as (

    select
        later.week_idx,
        earlier.source_week_idx,
        sum(later.n_days * earlier.n_days) as n_days

    from one_season_back as later
    inner join one_season_back as earlier on later.source_week_idx = earlier.week_idx
    group by 1, 2

),

shares as (

    select
        1 as seasons_back,
        week_idx,
        source_week_idx,
        cast(n_days as double) / 7e0 as source_share

    from one_season_back
    union all
    select
        2 as seasons_back,
        week_idx,
        source_week_idx,
        cast(n_days as double) / 49e0 as source_share

    from two_seasons_back

),

final as (

    select
        seasons_back,
        week_idx,
        source_week_idx,
        source_share,
        max(source_week_idx) over (partition by seasons_back, week_idx) as newest_source_week_idx

    from shares

)

select * from final
