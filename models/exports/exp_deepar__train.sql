{{ config(materialized='view') }}

{{ deepar_records(treatments="'trained'", weeks_ahead='0') }}
