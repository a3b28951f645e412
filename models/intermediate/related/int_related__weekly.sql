with

related_series as (

    select * from {{ ref('stg_retail__related_series') }}
    where series_value is not null

),

register as (

    select * from {{ ref('stg_retail__related_series_register') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

first_day as (

    select cast(min(week_end_date) - interval '6' day as date) as first_date from spine

),

-- A series has a row a day where the mapping says so, or where its rows fall on more than one weekday.
grains as (

    select
        register.series_name,
        register.weekly_aggregation,
        register.fill_rule,
        coalesce(
            max(register.series_grain),
            case
                when count(distinct date_diff('day', related_series.series_date, related_series.week_end_date)) > 1
                    then 'daily'
                else 'weekly'
            end
        ) as series_grain,
        count(distinct related_series.week_end_date) as n_weeks

    from related_series
    inner join register on related_series.series_name = register.series_name
    group by 1, 2, 3

),

weekday_counts as (

    select
        series_name,
        date_diff('day', series_date, week_end_date) as days_before_week_end,
        count(distinct week_end_date) as n_weeks

    from related_series
    group by 1, 2

),

-- A file that never has Sundays covers a week with Saturday.
last_weekdays as (

    select
        weekday_counts.series_name,
        coalesce(
            min(case
                when 2 * weekday_counts.n_weeks >= grains.n_weeks then weekday_counts.days_before_week_end
            end),
            min(weekday_counts.days_before_week_end)
        ) as days_before_week_end

    from weekday_counts
    inner join grains on weekday_counts.series_name = grains.series_name
    group by 1

),

-- The days that a row is about: its own, or those of its week.
spans as (

    select
        related_series.store_id,
        related_series.department_id,
        related_series.series_name,
        related_series.week_end_date,
        related_series.series_value,
        grains.series_grain,
        grains.fill_rule,
        case
            when grains.series_grain = 'daily' then related_series.series_date
            else cast(related_series.week_end_date - interval '6' day as date)
        end as first_date,
        case
            when grains.series_grain = 'daily' then related_series.series_date
            else related_series.week_end_date
        end as last_date

    from related_series
    inner join grains on related_series.series_name = grains.series_name

),

followed as (

    select
        *,
        lag(last_date) over (
            partition by store_id, department_id, series_name order by last_date
        ) as last_date_before,
        coalesce(
            lead(first_date) over (partition by store_id, department_id, series_name order by first_date),
            cast(week_end_date + interval '1' day as date)
        ) as next_date

    from spans

),

-- What the rule says of the days between two rows, before the first one, and after the last one in its week only.
gaps as (

    select
        store_id,
        department_id,
        series_name,
        series_grain,
        case when fill_rule = 'zero' then 0e0 else series_value end as series_value,
        cast(last_date + interval '1' day as date) as first_date,
        cast(next_date - interval '1' day as date) as last_date

    from followed
    where
        fill_rule in ('zero', 'forward')
        and date_diff('day', last_date, next_date) > 1
    union all
    select
        followed.store_id,
        followed.department_id,
        followed.series_name,
        followed.series_grain,
        0e0 as series_value,
        first_day.first_date,
        cast(followed.first_date - interval '1' day as date) as last_date

    from followed
    cross join first_day
    where
        followed.fill_rule = 'zero'
        and followed.last_date_before is null
        and followed.first_date > first_day.first_date

),

week_parts as (

    select
        store_id,
        department_id,
        series_name,
        week_end_date,
        series_value,
        last_date,
        case when series_grain = 'daily' then 1e0 else 7e0 end as n_days,
        case when series_grain = 'daily' then 1e0 else 7e0 end as n_row_days,
        0 as n_filled

    from spans
    union all
    select
        gaps.store_id,
        gaps.department_id,
        gaps.series_name,
        spine.week_end_date,
        gaps.series_value,
        least(gaps.last_date, spine.week_end_date) as last_date,
        cast(1 + date_diff(
            'day',
            greatest(gaps.first_date, cast(spine.week_end_date - interval '6' day as date)),
            least(gaps.last_date, spine.week_end_date)
        ) as double) as n_days,
        case when gaps.series_grain = 'daily' then 1e0 else 7e0 end as n_row_days,
        1 as n_filled

    from gaps
    inner join spine
        on
            gaps.first_date <= spine.week_end_date
            and gaps.last_date > cast(spine.week_end_date - interval '7' day as date)

),

weekly as (

    select
        week_parts.store_id,
        week_parts.department_id,
        week_parts.series_name,
        week_parts.week_end_date,
        case min(grains.weekly_aggregation)
            when 'sum' then sum(week_parts.series_value * week_parts.n_days / week_parts.n_row_days)
            when 'min' then min(week_parts.series_value)
            when 'max' then max(week_parts.series_value)
            when 'last' then max_by(week_parts.series_value, week_parts.last_date)
            else sum(week_parts.series_value * week_parts.n_days) / sum(week_parts.n_days)
        end as series_value,
        max(week_parts.n_filled) = 1 as is_filled

    from week_parts
    inner join grains on week_parts.series_name = grains.series_name
    group by 1, 2, 3, 4

),

coverage as (

    select
        spans.store_id,
        spans.department_id,
        spans.series_name,
        max(spans.week_end_date) as last_week_end_date,
        cast(max(spans.last_date) + interval '1' day * max(
            case when spans.series_grain = 'daily' then last_weekdays.days_before_week_end else 0 end
        ) as date) as covered_date

    from spans
    inner join last_weekdays on spans.series_name = last_weekdays.series_name
    group by 1, 2, 3

),

-- A week that ends after the last day of the file has no value: three days of seven are not its promotions.
final as (

    select
        coverage.store_id,
        coverage.department_id,
        coverage.series_name,
        spine.week_idx,
        spine.week_end_date,
        case when spine.week_end_date <= coverage.covered_date then weekly.series_value end as series_value,
        spine.week_end_date <= coverage.covered_date and coalesce(weekly.is_filled, false) as is_filled

    from coverage
    inner join spine on coverage.last_week_end_date >= spine.week_end_date
    left join weekly
        on
            coverage.store_id = weekly.store_id
            and coverage.department_id = weekly.department_id
            and coverage.series_name = weekly.series_name
            and spine.week_end_date = weekly.week_end_date

)

select * from final
