"""The published marts: one DuckDB file that everybody but dbt reads."""
