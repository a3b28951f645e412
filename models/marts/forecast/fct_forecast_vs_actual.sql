{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['run_id', 'item_id', 'week_end_date'],
    table_type='iceberg',
    on_schema_change='append_new_columns',
    pre_hook="""
        {% if should_full_refresh() %}
            {{ refuse_empty_source([ref('fct_forecast'), ref('fct_weekly_sales')]) }}
        {% endif %}
    """,
    post_hook="""
        delete from {{ this }}
        where week_end_date > (select max(week_end_date) from {{ ref('dim_week') }} where is_complete)
    """
) }}

-- The hook takes back rows of weeks that a retracted load had made complete; without any sales it takes back none.

with

forecasts as (

    select * from {{ ref('fct_forecast') }}

),

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

weeks as (

    select * from {{ ref('dim_week') }}

),

naive_errors as (

    select * from {{ ref('int_sales__naive_errors') }}

),

naive_forecasts as (

    select
        batch_id,
        cutoff_date,
        item_id,
        week_end_date,
        max(p50) as naive_p50

    from forecasts
    where model_id = 'snaive_52'
    group by 1, 2, 3, 4

),

passed as (

    select
        forecasts.*,
        weeks.week_weight

    from forecasts
    inner join weeks
        on
            forecasts.week_end_date = weeks.week_end_date
            and weeks.is_complete

),

compared as (

    select
        passed.*,
        weekly_sales.sales as actual,
        naive_forecasts.naive_p50,
        naive_errors.seasonal_scale

    from passed
    left join weekly_sales
        on
            passed.item_id = weekly_sales.item_id
            and passed.week_end_date = weekly_sales.week_end_date
    left join naive_forecasts
        on
            passed.batch_id = naive_forecasts.batch_id
            and passed.cutoff_date = naive_forecasts.cutoff_date
            and passed.item_id = naive_forecasts.item_id
            and passed.week_end_date = naive_forecasts.week_end_date
    left join naive_errors
        on
            passed.item_id = naive_errors.item_id
            and passed.cutoff_date = naive_errors.week_end_date

),

{% if is_incremental() and has_column(this, 'is_current') -%}
    existing as (

        select * from {{ this }}

    ),

    -- New rows, and rows whose sales, weights, history or standing have changed since.
    changed as (

        select compared.*
        from compared
        left join existing
            on
                compared.run_id = existing.run_id
                and compared.item_id = existing.item_id
                and compared.week_end_date = existing.week_end_date
        where
            existing.run_id is null
            or existing.actual is distinct from compared.actual
            or existing.week_weight is distinct from compared.week_weight
            or existing.naive_p50 is distinct from compared.naive_p50
            or existing.seasonal_scale is distinct from compared.seasonal_scale
            or existing.is_current is distinct from compared.is_current

    ),

{% else -%}
    changed as (

        select * from compared

    ),

{% endif -%}
final as (

    select
        run_id,
        item_id,
        week_end_date,
        model_id,
        cutoff_date,
        horizon_weeks,
        mean,
        {{ quantile_columns() }},
        actual,
        abs(actual - p50) as abs_error,
        power(actual - mean, 2) as squared_error,
        abs(actual) as abs_actual,
        week_weight,
        week_weight * abs(actual - p50) as weighted_abs_error,
        {{ pinball_loss('actual', 'p10', '0.1e0') }} as pinball_loss_p10,
        {{ pinball_loss('actual', 'p50', '0.5e0') }} as pinball_loss_p50,
        {{ pinball_loss('actual', 'p90', '0.9e0') }} as pinball_loss_p90,
        (
            {% for column, level in quantile_levels() if column not in ('p05', 'p95') -%}
                {{ pinball_loss('actual', column, level) }}{{ ' +' if not loop.last }}
            {% endfor -%}
        ) / 9e0 as pinball_loss_deciles,
        case when actual between p10 and p90 then 1 when actual is not null then 0 end as n_inside_p10_p90,
        naive_p50,
        abs(actual - naive_p50) as naive_abs_error,
        seasonal_scale,
        batch_id,
        kind,
        is_current,
        is_champion,
        store_id,
        department_id,
        treatment

    from changed

)

select * from final
