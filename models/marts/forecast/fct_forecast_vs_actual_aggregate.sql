with

compared as (

    select * from {{ ref('fct_forecast_vs_actual') }}
    where actual is not null

),

series as (

    select * from {{ ref('dim_series') }}

),

located as (

    select
        compared.*,
        series.store_id,
        series.department_id

    from compared
    inner join series on compared.item_id = series.item_id

),

-- Only items with both a forecast and an actual: the sums compare like with like.
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
        sum(p50) as p50,
        sum(actual) as actual,
        max(week_weight) as week_weight,
        case when count(naive_p50) = count(*) then sum(naive_p50) end as naive_p50

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
            {{ 'p50' if column == 'p50' else 'cast(null as double) as ' ~ column }},
        {% endfor -%}
        actual,
        abs(actual - p50) as abs_error,
        power(actual - mean, 2) as squared_error,
        abs(actual) as abs_actual,
        week_weight,
        week_weight * abs(actual - p50) as weighted_abs_error,
        cast(null as double) as pinball_loss_p10,
        abs(actual - p50) / 2e0 as pinball_loss_p50,
        cast(null as double) as pinball_loss_p90,
        cast(null as double) as pinball_loss_deciles,
        cast(null as integer) as n_inside_p10_p90,
        naive_p50,
        abs(actual - naive_p50) as naive_abs_error,
        cast(null as double) as seasonal_scale

    from summed

)

select * from final
