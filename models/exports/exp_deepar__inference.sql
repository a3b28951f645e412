{{ config(materialized='view') }}

{{ deepar_records(treatments="'trained', 'inferred'", weeks_ahead='horizon_weeks') }}
