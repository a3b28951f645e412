"""Weekly store sales forecasts from a dbt warehouse and DeepAR."""
