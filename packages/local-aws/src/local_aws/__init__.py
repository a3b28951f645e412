"""A local AWS for trying out and testing: Athena on Trino, Glue, S3, STS, and SageMaker."""
