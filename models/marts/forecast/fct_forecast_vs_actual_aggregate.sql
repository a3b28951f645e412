with

compared as (

    select * from {{ ref('fct_forecast_vs_actual') }}
    where actual is not null

),

levels as (

    {{ aggregate_levels() }}

),

located as (

    select
        compared.run_id,
        compared.model_id,
        compared.cutoff_date,
        compared.week_end_date,
        compared.horizon_weeks,
        compared.batch_id,
        compared.kind,
        compared.is_current,
        compared.is_champion,
        compared.mean,
        compared.p50,
        compared.actual,
        compared.week_weight,
        compared.naive_p50,
        levels.level,
        {{ store_at_level('levels.level', 'compared.store_id') }} as store_id,
        {{ department_at_level('levels.level', 'compared.department_id') }} as department_id

    from compared
    cross join levels
    where compared.store_id is not null

),

-- Only items with both a forecast and an actual: the sums compare like with like.
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
        batch_id,
        kind,
        is_current,
        is_champion,
        count(*) as n_items,
        sum(mean) as mean,
        sum(p50) as p50,
        sum(actual) as actual,
        max(week_weight) as week_weight,
        case when count(naive_p50) = count(*) then sum(naive_p50) end as naive_p50

    from located
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

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
        {{ aggregate_quantile_columns() }},
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
        cast(null as double) as seasonal_scale,
        batch_id,
        kind,
        is_current,
        is_champion,
        store_id,
        department_id

    from summed

)

select * from final
