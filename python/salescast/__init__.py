"""Weekly store sales forecasts from a dbt warehouse and DeepAR."""

# The one place of the version: builds read it from here, and dbt_project.yml repeats it.
__version__ = "0.1.0"
