"""The gateway's process; `stack.py` starts it."""

from __future__ import annotations

import logging
from typing import Any

import boto3
import click
from botocore.config import Config

from local_aws.gateway.executions import Executions
from local_aws.gateway.faults import Faults
from local_aws.gateway.glue import Glue
from local_aws.gateway.operations import Athena
from local_aws.gateway.server import make_server
from local_aws.gateway.trino_client import TrinoClient
from local_aws.json_server import serve_until_signal

_CREDENTIALS: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
_POOL = Config(max_pool_connections=40, retries={"mode": "standard"})


@click.command()
@click.option("--port", type=int, required=True, help="Port to listen on, on 127.0.0.1.")
@click.option("--trino", required=True, metavar="URL", help="Where Trino listens.")
@click.option("--ministack", required=True, metavar="URL", help="Where S3 listens.")
@click.option("--region", required=True, help="The region that clients name.")
def main(port: int, trino: str, ministack: str, region: str) -> None:
    """Serve the Athena API and Glue until a signal ends it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    glue_client = boto3.client(
        "glue",
        region_name=region,
        endpoint_url=f"http://127.0.0.1:{port}",
        config=_POOL,
        **_CREDENTIALS,
    )
    s3 = boto3.client(
        "s3", region_name=region, endpoint_url=ministack, config=_POOL, **_CREDENTIALS
    )
    faults = Faults()
    executions = Executions(TrinoClient(trino), glue_client, s3, faults)
    athena = Athena(executions, glue_client, s3, faults)
    serve_until_signal(make_server(port, athena, Glue(region), faults), end=lambda: None)


if __name__ == "__main__":
    main()
