with

store_part_weeks as (

    select * from {{ ref('int_week__part_weeks') }}

),

series_part_weeks as (

    select * from {{ ref('int_sales__part_weeks') }}

),

bounds as (

    select * from {{ ref('int_week__bounds') }}

),

sales as (

    select * from {{ ref('stg_retail__sales') }}

),

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

newest_delivery as (

    select max(delivery_id) as delivery_id
    from loads
    where table_name = 'raw_sales' and not is_retracted

),

-- What the newest delivery has brought is told whatever week it is of.
delivered_weeks as (

    select distinct
        sales.store_id,
        sales.week_end_date

    from sales
    inner join loads on sales.load_id = loads.load_id
    inner join newest_delivery on loads.delivery_id = newest_delivery.delivery_id

),

-- An absent store is told once, by the week since when it is.
store_weeks as (

    select
        store_id,
        reason,
        min(week_end_date) as week_end_date

    from store_part_weeks
    where reason <> 'started'
    group by store_id, reason, case when reason <> 'absent' then week_end_date end

),

-- Of single series only the newest week is told: each that ends has a last week.
told as (

    select
        'stores' as who,
        store_weeks.reason,
        store_weeks.week_end_date,
        store_weeks.store_id as told_name

    from store_weeks
    cross join bounds
    left join delivered_weeks
        on
            store_weeks.store_id = delivered_weeks.store_id
            and store_weeks.week_end_date = delivered_weeks.week_end_date
    where
        store_weeks.week_end_date
        > {{ add_weeks('bounds.newest_week_end_date', '-' ~ var('least_silence_weeks')) }}
        or delivered_weeks.store_id is not null
    union all
    select
        'series' as who,
        series_part_weeks.reason,
        series_part_weeks.week_end_date,
        series_part_weeks.item_id as told_name

    from series_part_weeks
    inner join bounds on series_part_weeks.week_end_date = bounds.newest_week_end_date
    left join store_part_weeks
        on
            series_part_weeks.store_id = store_part_weeks.store_id
            and series_part_weeks.week_end_date = store_part_weeks.week_end_date
    where store_part_weeks.store_id is null and series_part_weeks.reason <> 'started'

),

ranked as (

    select
        *,
        row_number() over (partition by who, reason, week_end_date order by told_name) as name_rank

    from told

),

named as (

    select
        *,
        case when name_rank <= 20 then told_name end as shown_name

    from ranked

),

final as (

    select
        week_end_date,
        reason,
        count(*) as n,
        who,
        {{ list_text('shown_name', 'shown_name') }} as which

    from named
    group by who, reason, week_end_date

)

select * from final
order by week_end_date desc, who desc, reason asc
