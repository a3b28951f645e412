with

related_weekly as (

    select * from {{ ref('int_related__weekly') }}

),

register as (

    select * from {{ ref('stg_retail__related_series_register') }}

),

-- An amount of the week, or its mean a day: of both, half as much means half a week.
amounts as (

    select
        related_weekly.store_id,
        related_weekly.department_id,
        related_weekly.series_name,
        related_weekly.week_idx,
        related_weekly.series_value,
        row_number() over (
            partition by
                related_weekly.series_name,
                related_weekly.store_id,
                related_weekly.department_id,
                coalesce(related_weekly.series_value > 0e0, false)
            order by related_weekly.week_idx
        ) as nth,
        min(related_weekly.series_value) over (partition by related_weekly.series_name) as lowest_value

    from related_weekly
    inner join register on related_weekly.series_name = register.series_name
    where
        register.is_known_future
        and register.weekly_aggregation in ('sum', 'mean')
        and coalesce(register.is_exposure, true)

),

-- A whole week is the highest of the first eight: what comes later does not change what was told before.
wholes as (

    select
        *,
        max(case when series_value > 0e0 and nth <= 8 then series_value end) over (
            partition by series_name, store_id, department_id
        ) as whole_value

    from amounts
    where lowest_value >= 0e0

),

final as (

    select
        series_name,
        store_id,
        department_id,
        week_idx,
        round(series_value / whole_value, 9) as exposure

    from wholes
    where whole_value is not null

)

select * from final
