{{ config(materialized='view') }}

{{ deepar_records(
    treatments="'trained', 'inferred'", dynamic_feat='inference_dynamic_feat', weeks_ahead='exported.horizon_weeks'
) }}
