with

base as (

    select * from {{ ref('snaive_calendar__base') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

origin_weeks as (

    select distinct
        exposure_key,
        origin_week_idx

    from origins

),

growth_windows as (

    select
        numbers.n_weeks,
        numbers.own_weight

    from (values (6, 0.6e0), (13, 0.5e0)) as numbers (n_weeks, own_weight)

),

-- Weeks are joined by equality: engines estimate it well, and ranges badly.
window_weeks as (

    select
        origin_weeks.exposure_key,
        origin_weeks.origin_week_idx,
        growth_windows.n_weeks,
        growth_windows.own_weight,
        spine.week_idx

    from origin_weeks
    cross join growth_windows
    inner join spine
        on
            origin_weeks.origin_week_idx - growth_windows.n_weeks < spine.week_idx
            and origin_weeks.origin_week_idx >= spine.week_idx

),

series_sums as (

    select
        window_weeks.exposure_key,
        window_weeks.origin_week_idx,
        base.seasons_back,
        window_weeks.n_weeks,
        base.item_id,
        base.store_id,
        base.department_id,
        min(window_weeks.own_weight) as own_weight,
        sum({{ exact('base.sales') }}) as sales,
        sum({{ exact('base.base_sales') }}) as base_sales

    from base
    inner join window_weeks
        on
            base.exposure_key = window_weeks.exposure_key
            and base.week_idx = window_weeks.week_idx
    where base.sales is not null and base.is_reported
    group by 1, 2, 3, 4, 5, 6, 7

),

{{ growth_parts(keys=['exposure_key', 'origin_week_idx', 'seasons_back', 'n_weeks']) }},

level_parts as (

    {% for level, level_id in growth_levels() -%}
        select
            exposure_key,
            origin_week_idx,
            seasons_back,
            '{{ level }}' as level,
            {{ level_id }} as level_id,
            n_weeks,
            max({{ 'own_weight * ' if level == 'series' }}{{ level }}_part) as growth

        from growth_parts
        group by 1, 2, 3, 4, 5, 6
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Logarithms end in other digits on other engines.
final as (

    select
        exposure_key,
        origin_week_idx,
        seasons_back,
        level,
        level_id,
        round(max(case when n_weeks = 6 then growth end), 9) as short_growth,
        round(max(case when n_weeks = 13 then growth end), 9) as long_growth

    from level_parts
    group by 1, 2, 3, 4, 5

)

select * from final
