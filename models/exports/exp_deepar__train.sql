{{ config(materialized='view') }}

{{ deepar_records(treatments="'trained'", dynamic_feat='train_dynamic_feat', weeks_ahead='0') }}
