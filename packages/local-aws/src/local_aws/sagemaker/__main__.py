"""The process of the local SageMaker; `stack.py` starts it."""

from __future__ import annotations

import logging
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.config import Config

from local_aws.json_server import Answer, error_answer, make_json_server, serve_until_signal
from local_aws.sagemaker import program
from local_aws.sagemaker.errors import SageMakerError
from local_aws.sagemaker.faults import Faults
from local_aws.sagemaker.jobs import Holdings
from local_aws.sagemaker.machine import Machine
from local_aws.sagemaker.operations import SageMaker

_CREDENTIALS: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
_POOL = Config(max_pool_connections=40, retries={"mode": "standard"})
_SERVICE = "SageMaker"


def make_server(port: int, sagemaker: SageMaker, faults: Faults) -> ThreadingHTTPServer:
    """A server on 127.0.0.1, not yet serving; port 0 takes a free one."""

    def call(target: str, request: dict[str, Any], agent: str) -> Answer | None:
        service, _, operation = target.partition(".")
        if service != _SERVICE:
            return error_answer("UnknownOperationException", f"no service {service!r} here")
        try:
            answer = sagemaker.call(operation, request)
        except SageMakerError as error:
            return error_answer(error.code, error.message)
        return None if answer is None else (200, answer)

    return make_json_server(port, call, faults)


@click.command()
@click.option("--port", type=int, required=True, help="Port to listen on, on 127.0.0.1.")
@click.option("--s3", required=True, metavar="URL", help="Where S3 and CloudWatch Logs listen.")
@click.option("--region", required=True, help="The region that clients name.")
@click.option("--account", default="000000000000", help="The account in resource names.")
@click.option(
    "--work",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for what jobs hold while they run.",
)
def main(port: int, s3: str, region: str, account: str, work: Path) -> None:
    """Serve the SageMaker API and run its jobs until a signal ends it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    behind: dict[str, Any] = {"region_name": region, "endpoint_url": s3, "config": _POOL}
    behind |= _CREDENTIALS
    faults = Faults()
    machine = Machine(boto3.client("s3", **behind), boto3.client("logs", **behind), work.resolve())
    sagemaker = SageMaker(machine, Holdings(region, account), region, faults)
    serve_until_signal(make_server(port, sagemaker, faults), end=program.kill_all)


if __name__ == "__main__":
    main()
