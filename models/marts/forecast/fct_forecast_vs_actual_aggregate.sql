{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['run_id', 'level', 'item_id', 'week_end_date'],
    table_type='iceberg',
    on_schema_change='append_new_columns',
    post_hook="{{ delete_outdated_rows(ref('dim_forecast_run_week'), ref('stg_retail__loads'), 'inputs_digest') }}"
) }}

{% set made = this if is_incremental() and has_column(this, 'inputs_digest') else none -%}
{% set made_of = ['run_id', 'week_end_date', 'inputs_digest'] -%}
with

run_weeks as (

    select * from {{ ref('dim_forecast_run_week') }}

),

all_compared as (

    select * from {{ ref('fct_forecast_vs_actual') }}
    {{ of_due_runs(ref('dim_forecast_run_week'), made_of, made) }}

),

total_bands as (

    select * from {{ ref('stg_forecasts__total_bands') }}
    {{ of_due_runs(ref('dim_forecast_run_week'), made_of, made) }}

),

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

levels as (

    {{ aggregate_levels() }}

),

-- New runs and weeks, and those whose sales, weights, history or standing have changed since.
{{ due_rows('due_weeks', 'run_weeks', made_of, made) }},

compared as (

    select all_compared.*
    from all_compared
    inner join due_weeks
        on
            all_compared.run_id = due_weeks.run_id
            and all_compared.week_end_date = due_weeks.week_end_date
    where all_compared.store_id is not null

),

dates_of_due_weeks as (

    select distinct week_end_date from due_weeks

),

sales_of_due_weeks as (

    select weekly_sales.*
    from weekly_sales
    inner join dates_of_due_weeks on weekly_sales.week_end_date = dates_of_due_weeks.week_end_date
    where weekly_sales.sales is not null

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
        compared.week_weight,
        compared.inputs_digest,
        compared.actual,
        abs(compared.mean) as size_forecast,
        case when compared.actual is not null then compared.mean end as mean,
        {% for column, _ in quantile_levels() -%}
            case when compared.actual is not null then compared.{{ column }} end as {{ column }},
        {% endfor -%}
        case when compared.actual is not null then compared.naive_p50 end as naive_p50,
        case when compared.actual is null then compared.p50 end as p50_without_actual,
        levels.level,
        {{ store_at_level('levels.level', 'compared.store_id') }} as store_id,
        {{ department_at_level('levels.level', 'compared.department_id') }} as department_id

    from compared
    cross join levels

),

-- Only items with both a forecast and an actual: the sums compare like with like, and what is not in them is counted.
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
        inputs_digest,
        count(*) as n_items_forecast,
        count(actual) as n_items,
        sum(size_forecast) as sum_size_forecast,
        sum(mean) as mean,
        {{ total_quantile_sums() }},
        sum(actual) as actual,
        sum(cast(actual as decimal(38, 6))) as exact_actual,
        max(week_weight) as week_weight,
        case when count(naive_p50) = count(actual) then sum(naive_p50) end as naive_p50,
        coalesce(sum(p50_without_actual), 0e0) as p50_without_actual

    from located
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13

),

named as (

    select
        *,
        {{ aggregate_item_id('store_id', 'department_id') }} as item_id

    from summed

),

-- What a total missed by in earlier runs says nothing of a small part of it.
banded as (

    select
        named.*,
        {{ learned_columns('total_bands', 'named', '2e0 * named.sum_size >= named.sum_size_forecast') }}

    from named
    left join total_bands
        on
            named.run_id = total_bands.run_id
            and named.level = total_bands.level
            and named.item_id = total_bands.item_id
            and named.week_end_date = total_bands.week_end_date

),

totalled as (

    select
        run_id,
        model_id,
        cutoff_date,
        week_end_date,
        horizon_weeks,
        level,
        item_id,
        store_id,
        department_id,
        batch_id,
        kind,
        is_current,
        is_champion,
        inputs_digest,
        n_items_forecast,
        n_items,
        mean,
        {{ total_quantile_columns('level', 'n_items', 'mean', 'learned_share') }},
        sum_p50,
        actual,
        exact_actual,
        week_weight,
        naive_p50,
        p50_without_actual

    from banded

),

located_sales as (

    select
        sales_of_due_weeks.week_end_date,
        sales_of_due_weeks.sales,
        levels.level,
        {{ store_at_level('levels.level', 'sales_of_due_weeks.store_id') }} as store_id,
        {{ department_at_level('levels.level', 'sales_of_due_weeks.department_id') }} as department_id

    from sales_of_due_weeks
    cross join levels

),

observed as (

    select
        level,
        {{ aggregate_item_id('store_id', 'department_id') }} as item_id,
        week_end_date,
        count(*) as n_items,
        sum(cast(sales as decimal(38, 6))) as exact_sales

    from located_sales
    group by 1, 2, 3

),

-- What others sold is a difference: of decimals, since that of doubles is hardly ever 0.
final as (

    select
        totalled.run_id,
        totalled.level,
        totalled.item_id,
        totalled.week_end_date,
        totalled.model_id,
        totalled.cutoff_date,
        totalled.horizon_weeks,
        totalled.n_items,
        totalled.mean,
        {{ quantile_columns('totalled') }},
        totalled.actual,
        abs(totalled.actual - totalled.p50) as abs_error,
        power(totalled.actual - totalled.mean, 2) as squared_error,
        abs(totalled.actual) as abs_actual,
        totalled.week_weight,
        totalled.week_weight * abs(totalled.actual - totalled.p50) as weighted_abs_error,
        {{ pinball_loss('totalled.actual', 'totalled.p10', '0.1e0') }} as pinball_loss_p10,
        {{ pinball_loss('totalled.actual', 'totalled.p50', '0.5e0') }} as pinball_loss_p50,
        {{ pinball_loss('totalled.actual', 'totalled.p90', '0.9e0') }} as pinball_loss_p90,
        (
            {% for column, level in quantile_levels() if column not in ('p05', 'p95') -%}
                {{ pinball_loss('totalled.actual', 'totalled.' ~ column, level) }}{{ ' +' if not loop.last }}
            {% endfor -%}
        ) / 9e0 as pinball_loss_deciles,
        case
            when totalled.actual between totalled.p10 and totalled.p90 then 1
            when totalled.actual is not null then 0
        end as n_inside_p10_p90,
        totalled.naive_p50,
        abs(totalled.actual - totalled.naive_p50) as naive_abs_error,
        cast(null as double) as seasonal_scale,
        totalled.batch_id,
        totalled.kind,
        totalled.is_current,
        totalled.is_champion,
        totalled.store_id,
        totalled.department_id,
        totalled.n_items_forecast,
        coalesce(observed.n_items, 0) as n_items_observed,
        totalled.p50_without_actual,
        case
            when coalesce(observed.n_items, 0) > totalled.n_items
                then cast(observed.exact_sales - coalesce(totalled.exact_actual, 0) as double)
            else 0e0
        end as actual_without_forecast,
        totalled.inputs_digest,
        totalled.sum_p50

    from totalled
    left join observed
        on
            totalled.level = observed.level
            and totalled.item_id = observed.item_id
            and totalled.week_end_date = observed.week_end_date

)

select * from final
