with

vintages as (

    select * from {{ ref('blend__vintages') }}

),

forecasts as (

    select * from {{ ref('stg_forecasts__forecasts') }}

),

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

levels as (

    select * from {{ ref('blend__levels') }}

),

vintage_runs as (

    select
        member_run_id,
        member_model_id,
        vintage_cutoff_date,
        max(cutoff_date) as last_cutoff_date

    from vintages
    group by 1, 2, 3

),

-- What was sold by the last cutoff is all that any of the blends may know.
final as (

    select
        vintage_runs.member_run_id,
        forecasts.item_id,
        forecasts.week_end_date,
        vintage_runs.member_model_id,
        vintage_runs.vintage_cutoff_date,
        forecasts.horizon_weeks,
        {{ lead_band('forecasts.horizon_weeks') }} as lead_band,
        levels.store_id,
        levels.department_id,
        levels.recent_level,
        levels.level_floor,
        levels.is_sampled,
        forecasts.mean,
        forecasts.p50,
        sales_filled.sales as actual

    from vintage_runs
    inner join forecasts
        on
            vintage_runs.member_run_id = forecasts.run_id
            and vintage_runs.last_cutoff_date >= forecasts.week_end_date
    inner join sales_filled
        on
            forecasts.item_id = sales_filled.item_id
            and forecasts.week_end_date = sales_filled.week_end_date
    inner join levels
        on
            vintage_runs.vintage_cutoff_date = levels.cutoff_date
            and forecasts.item_id = levels.item_id
    where sales_filled.sales is not null

)

select * from final
