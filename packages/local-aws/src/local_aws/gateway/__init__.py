"""One process, one port: the Athena API on Trino, and Glue."""
