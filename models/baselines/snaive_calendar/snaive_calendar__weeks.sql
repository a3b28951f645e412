{%- set by_week = 'over (partition by exposure_key, item_id order by week_idx' -%}
{%- set before = by_week ~ ' rows between 13 preceding and 1 preceding)' -%}
{%- set recent = by_week ~ ' rows between 25 preceding and current row)' -%}
{%- set around = 'order by week_idx rows between 13 preceding and 13 following' -%}

with

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

shares as (

    select * from {{ ref('exp_exposure_shares') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

),

-- What two cutoffs make alike is made once.
exposures as (

    select
        exposure_key,
        max(cutoff_date) as cutoff_date

    from origins
    group by 1

),

-- Sales as of a whole week; what is forecast of it is multiplied again in the end.
whole_weeks as (

    select
        exposures.exposure_key,
        sales_filled.item_id,
        sales_filled.store_id,
        sales_filled.department_id,
        sales_filled.week_idx,
        case
            when shares.week_share is null then sales_filled.sales
            else sales_filled.sales / nullif(shares.week_share, 0e0)
        end as sales

    from sales_filled
    cross join exposures
    left join shares
        on
            exposures.cutoff_date = shares.cutoff_date
            and sales_filled.store_id = shares.store_id
            and shares.department_id in ('', sales_filled.department_id)
            and sales_filled.week_idx = shares.week_idx

),

-- The filled table has no gap, so rows are weeks.
levels as (

    select
        exposure_key,
        item_id,
        store_id,
        department_id,
        week_idx,
        sales,
        {{ safe_divide('sum(' ~ exact('sales') ~ ') ' ~ before, 'count(sales) ' ~ before) }} as level_before,
        {{ safe_divide('sum(' ~ exact('sales') ~ ') ' ~ recent, 'count(sales) ' ~ recent) }} as recent_level

    from whole_weeks

),

department_weeks as (

    select
        exposure_key,
        department_id,
        week_idx,
        sum({{ exact('sales') }}) as sales,
        {{ safe_divide('count(sales)', 'count(*)') }} as known_share,
        {{ safe_divide(
            'sum(case when level_before is not null then ' ~ exact('sales') ~ ' end)',
            'sum(case when sales is not null then ' ~ exact('level_before') ~ ' end)',
        ) }} as week_factor

    from levels
    group by 1, 2, 3

),

-- Where many are unknown at once a gap is more likely a week without sales than one without a report.
departments as (

    select
        exposure_key,
        department_id,
        week_idx,
        case
            when known_share < 0.75e0 then 0.5e0
            else least(greatest(coalesce(week_factor, 1e0), 0.2e0), 5e0)
        end as gap_factor,
        {{ safe_divide(
            'sum(sales) over (partition by exposure_key, department_id ' ~ around ~ ')',
            'count(sales) over (partition by exposure_key, department_id ' ~ around ~ ')',
        ) }} as department_trend

    from department_weeks

),

-- A gap takes the level of the weeks before it only: what is known later changes nothing.
known as (

    select
        levels.*,
        departments.department_trend,
        case
            when levels.sales is not null then levels.sales
            when levels.level_before > 0e0 then levels.level_before * departments.gap_factor
            when levels.level_before is not null then 0e0
        end as known_sales

    from levels
    inner join departments
        on
            levels.exposure_key = departments.exposure_key
            and levels.department_id = departments.department_id
            and levels.week_idx = departments.week_idx

),

final as (

    select
        exposure_key,
        item_id,
        store_id,
        department_id,
        week_idx,
        sales,
        known_sales,
        case when recent_level is not null then greatest(recent_level, 0e0) end as recent_level,
        {{ safe_divide(
            'sum(' ~ exact('known_sales') ~ ') over (partition by exposure_key, item_id ' ~ around ~ ')',
            'count(known_sales) over (partition by exposure_key, item_id ' ~ around ~ ')',
        ) }} as trend,
        department_trend

    from known

)

select * from final
