"""A local AWS for trying out and testing dbt-athena projects: Athena on Trino, Glue, S3 and STS."""
