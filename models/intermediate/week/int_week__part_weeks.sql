with

store_days as (

    select * from {{ ref('int_week__store_days') }}

),

sales as (

    select * from {{ ref('stg_retail__sales') }}

),

openings as (

    select * from {{ ref('int_week__store_openings') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

bounds as (

    select * from {{ ref('int_week__bounds') }}

),

-- Missing days with no reported day between them are one pause, also where the week's end lies between them.
paused_days as (

    select
        *,
        sum(case when is_reported then 1 else 0 end) over (
            partition by store_id order by sales_date
        ) as pause_idx

    from store_days

),

days_in_pauses as (

    select
        *,
        sum(case when is_missing and place = 'within' then 1 else 0 end) over (
            partition by store_id, pause_idx
        ) as n_pause_days,
        sum(case when is_missing and place = 'within' and not is_day_off then 1 else 0 end) over (
            partition by store_id, pause_idx
        ) as n_pause_days_alone

    from paused_days

),

day_counts as (

    select
        store_id,
        week_end_date,
        count_if(is_reported) as n_days,
        count_if(is_usual) as n_usual_days,
        max(case when is_reported then sales_date end) as last_sales_date,
        count_if(is_missing and not is_day_off and place = 'after') as n_missing_after,
        count_if(is_missing and not is_day_off and place = 'before') as n_missing_before,
        count_if(is_missing and not is_day_off and place = 'within') as n_missing_alone,
        count_if(is_missing and place = 'within') as n_missing_within,
        max(case when is_missing and place = 'within' and not is_day_off then n_pause_days end) as n_pause_days,
        max(case when is_missing and place = 'within' and not is_day_off then n_pause_days_alone end)
            as n_pause_days_alone

    from days_in_pauses
    group by 1, 2

),

-- Within its life a store may rest for a day or two; three days while others sold, or four of all, are a gap.
short_weeks as (

    select
        store_id,
        week_end_date,
        case
            when n_missing_after > 0 then 'late'
            when n_missing_before > 0 then 'started'
            when n_missing_alone >= 3 or n_missing_within >= 4 then 'interrupted'
            when n_pause_days_alone >= 3 or n_pause_days >= 4 then 'interrupted'
        end as reason,
        n_days,
        n_usual_days,
        last_sales_date

    from day_counts

),

reported_weeks as (

    select
        store_id,
        week_end_date,
        max(sales_date) as last_sales_date

    from sales
    group by 1, 2

),

extents as (

    select
        store_id,
        min(week_end_date) as first_week_end_date,
        max(week_end_date) as last_week_end_date,
        max(last_sales_date) as last_sales_date

    from reported_weeks
    group by 1

),

reopened as (

    select
        store_id,
        max(opened_on) as opened_on

    from openings
    where is_rebuild
    group by 1

),

closed_weeks as (

    select distinct
        openings.store_id,
        spine.week_end_date

    from openings
    inner join spine on spine.is_complete
    where {{ is_closed_week('spine.week_end_date', 'openings.opened_on', 'openings.closed_on') }}

),

-- Stores that reported at least four in five of their last eight weeks, and then no more. One that opened again is
-- waited for from then on.
silent_stores as (

    select
        extents.store_id,
        extents.first_week_end_date,
        extents.last_week_end_date,
        extents.last_sales_date,
        reopened.opened_on,
        count(*) as n_reported_weeks

    from extents
    cross join bounds
    inner join reported_weeks
        on
            extents.store_id = reported_weeks.store_id
            and reported_weeks.week_end_date > {{ add_weeks('extents.last_week_end_date', -8) }}
    left join reopened on extents.store_id = reopened.store_id
    where
        extents.last_week_end_date < bounds.newest_week_end_date
        and greatest(extents.last_week_end_date, coalesce(reopened.opened_on, extents.last_week_end_date))
        >= {{ add_weeks('bounds.newest_week_end_date', '-' ~ var('least_silence_weeks')) }}
    group by 1, 2, 3, 4, 5

),

silent_weeks as (

    select
        silent_stores.store_id,
        silent_stores.first_week_end_date,
        silent_stores.last_sales_date,
        spine.week_end_date

    from silent_stores
    inner join spine
        on
            silent_stores.last_week_end_date < spine.week_end_date
            and spine.is_complete
            and spine.week_end_date >= coalesce(silent_stores.opened_on, spine.week_end_date)
    left join closed_weeks
        on
            silent_stores.store_id = closed_weeks.store_id
            and spine.week_end_date = closed_weeks.week_end_date
    where
        10 * silent_stores.n_reported_weeks >= 8 * least(
            8, 1 + date_diff('day', silent_stores.first_week_end_date, silent_stores.last_week_end_date) / 7
        )
        and closed_weeks.store_id is null

),

-- A store without a report at this time of last year is closed again, not late. What is said to have been closed is no
-- sign: a rebuild does not come each year.
season_weeks as (

    select
        store_id,
        week_end_date

    from reported_weeks
    union distinct
    select
        store_id,
        week_end_date

    from closed_weeks

),

season_ago as (

    select
        silent_weeks.store_id,
        silent_weeks.week_end_date,
        count(*) as n_weeks

    from silent_weeks
    inner join season_weeks
        on
            silent_weeks.store_id = season_weeks.store_id
            and season_weeks.week_end_date
            between {{ add_weeks('silent_weeks.week_end_date', '-1 - ' ~ var('season_weeks')) }}
            and {{ add_weeks('silent_weeks.week_end_date', '1 - ' ~ var('season_weeks')) }}
    group by 1, 2

),

absent_weeks as (

    select
        silent_weeks.store_id,
        silent_weeks.week_end_date,
        silent_weeks.last_sales_date

    from silent_weeks
    left join season_ago
        on
            silent_weeks.store_id = season_ago.store_id
            and silent_weeks.week_end_date = season_ago.week_end_date
    where
        silent_weeks.first_week_end_date
        > {{ add_weeks('silent_weeks.week_end_date', '-1 - ' ~ var('season_weeks')) }}
        or season_ago.n_weeks = 3

),

final as (

    select
        short_weeks.store_id,
        short_weeks.week_end_date,
        short_weeks.reason,
        cast(short_weeks.n_days as integer) as n_days,
        cast(short_weeks.n_usual_days as integer) as n_usual_days,
        short_weeks.last_sales_date

    from short_weeks
    inner join spine
        on
            short_weeks.week_end_date = spine.week_end_date
            and spine.is_complete
    where short_weeks.reason is not null
    union all
    select
        store_id,
        week_end_date,
        'absent' as reason,
        0 as n_days,
        cast(null as integer) as n_usual_days,
        last_sales_date

    from absent_weeks

)

select * from final
