with

forecasts as (

    select * from {{ ref('fct_forecast') }}

),

series as (

    select * from {{ ref('dim_series') }}

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
        series.store_id,
        series.department_id

    from forecasts
    inner join series on forecasts.item_id = series.item_id

),

summed as (

    select
        run_id,
        model_id,
        cutoff_date,
        week_end_date,
        horizon_weeks,
        store_id,
        department_id,
        grouping(store_id) as is_all_stores,
        grouping(department_id) as is_all_departments,
        count(*) as n_items,
        sum(mean) as mean,
        sum(p50) as p50

    from located
    group by grouping sets (
        (run_id, model_id, cutoff_date, week_end_date, horizon_weeks, store_id),
        (run_id, model_id, cutoff_date, week_end_date, horizon_weeks, department_id),
        (run_id, model_id, cutoff_date, week_end_date, horizon_weeks)
    )

),

final as (

    select
        run_id,
        {{ aggregate_level('is_all_stores', 'is_all_departments') }} as level,
        {{ aggregate_item_id('store_id', 'department_id') }} as item_id,
        week_end_date,
        model_id,
        cutoff_date,
        horizon_weeks,
        n_items,
        mean,
        {% for column, level in quantile_levels() -%}
            {{ 'p50' if column == 'p50' else 'cast(null as double) as ' ~ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from summed

)

select * from final
