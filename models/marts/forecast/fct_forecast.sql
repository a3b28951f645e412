{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['run_id', 'item_id', 'week_end_date'],
    table_type='iceberg',
    on_schema_change='append_new_columns',
    pre_hook="{{ refuse_empty_source([ref('stg_forecasts__forecasts')]) }}"
) }}

-- Only new runs come in. They are merged, not appended: of two writers on Athena one fails instead of doubling rows.

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
