{{ config(
    materialized='incremental',
    incremental_strategy='append',
    table_type='iceberg',
    on_schema_change='append_new_columns'
) }}

with

forecasts as (

    select * from {{ ref('stg_forecasts__forecasts') }}
    {% if is_incremental() -%}
        where run_id not in (select landed.run_id from {{ this }} as landed)
    {%- endif %}

),

final as (

    select
        run_id,
        item_id,
        week_end_date,
        model_id,
        cutoff_date,
        horizon_weeks,
        mean,
        {{ quantile_columns() }}
    from forecasts

)

select * from final
