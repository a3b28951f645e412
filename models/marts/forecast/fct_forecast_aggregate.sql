with

forecasts as (

    select * from {{ ref('fct_forecast') }}

),

series as (

    select * from {{ ref('dim_series') }}

),

levels as (

    {{ aggregate_levels() }}

),

located as (

    select
        forecasts.run_id,
        forecasts.model_id,
        forecasts.cutoff_date,
        forecasts.week_end_date,
        forecasts.horizon_weeks,
        forecasts.mean,
        forecasts.p50,
        levels.level,
        {{ store_at_level('levels.level', 'series.store_id') }} as store_id,
        {{ department_at_level('levels.level', 'series.department_id') }} as department_id

    from forecasts
    inner join series on forecasts.item_id = series.item_id
    cross join levels

),

summed as (

    select
        run_id,
        model_id,
        cutoff_date,
        week_end_date,
        horizon_weeks,
        level,
        store_id,
        department_id,
        count(*) as n_items,
        sum(mean) as mean,
        sum(p50) as p50

    from located
    group by 1, 2, 3, 4, 5, 6, 7, 8

),

final as (

    select
        run_id,
        level,
        {{ aggregate_item_id('store_id', 'department_id') }} as item_id,
        week_end_date,
        model_id,
        cutoff_date,
        horizon_weeks,
        n_items,
        mean,
        {{ aggregate_quantile_columns() }}
    from summed

)

select * from final
