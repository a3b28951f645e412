"""A gateway on a free port, with boto3 before it and fakes behind; Glue is the real one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import botocore.session
import requests
from botocore.config import Config
from botocore.validate import ParamValidator

from local_aws.gateway.executions import Executions
from local_aws.gateway.faults import Faults
from local_aws.gateway.glue import Glue
from local_aws.gateway.operations import Athena
from local_aws.gateway.server import make_server
from local_aws.gateway.trino_client import TrinoClient

from .fakes import Answer, FakeS3, FakeTrino, fake_trino, serving

REGION = "us-east-1"
_CLIENT: dict[str, Any] = {
    "region_name": REGION,
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
    "config": Config(retries={"total_max_attempts": 1}),
}


class _Checked:
    """Passes calls on; an answer that botocore's model does not have is an error of the server."""

    def __init__(self, service: str) -> None:
        self._model = botocore.session.get_session().get_service_model(service)

    def check(self, operation: str, answer: dict[str, Any]) -> None:
        shape = self._model.operation_model(operation).output_shape
        assert shape is not None
        report = ParamValidator().validate(answer, shape)
        assert not report.has_errors(), report.generate_report()


class CheckedAthena(_Checked):
    """Athena with its answers checked."""

    def __init__(self, athena: Athena) -> None:
        super().__init__("athena")
        self._athena = athena

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = self._athena.call(operation, request)
        self.check(operation, answer)
        return answer


class CheckedGlue(_Checked):
    """Glue with its answers checked."""

    def __init__(self, glue: Glue) -> None:
        super().__init__("glue")
        self._glue = glue

    def call(
        self, operation: str, request: dict[str, Any], agent: str
    ) -> tuple[int, dict[str, Any]]:
        status, answer = self._glue.call(operation, request, agent)
        if status == 200:
            self.check(operation, answer)
        return status, answer


@dataclass
class Gateway:
    """The gateway and what is around it."""

    url: str
    athena: Any
    glue: Any
    s3: FakeS3
    trino: FakeTrino

    def post(
        self, operation: str, request: Any, *, agent: str = "test"
    ) -> tuple[int, dict[str, Any]]:
        """A call past boto3, which would refuse much by itself; the whole target is named."""
        answer = requests.post(
            self.url, json=request, headers={"X-Amz-Target": operation, "User-Agent": agent}
        )
        members: dict[str, Any] = answer.json()
        return answer.status_code, members

    def start(self, query: str, **more: Any) -> str:
        """Start a statement; returns its id."""
        request: dict[str, Any] = {"ResultConfiguration": {"OutputLocation": "s3://lake/results"}}
        return str(
            self.athena.start_query_execution(QueryString=query, **(request | more))[
                "QueryExecutionId"
            ]
        )

    def execution(self, execution_id: str) -> dict[str, Any]:
        """An execution that has ended."""
        while True:
            found: dict[str, Any] = self.athena.get_query_execution(QueryExecutionId=execution_id)[
                "QueryExecution"
            ]
            if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return found

    def run(self, query: str, **more: Any) -> dict[str, Any]:
        """Run a statement to its end."""
        return self.execution(self.start(query, **more))

    def selects(self, rows: list[list[Any]], columns: list[tuple[str, str]]) -> str:
        """A query that gives these rows."""
        query = f"select '{uuid4()}'"
        self.trino.answers[query] = Answer(columns, rows)
        return query


@contextmanager
def serve_gateway() -> Iterator[Gateway]:
    """A gateway that listens."""
    faults, s3 = Faults(), FakeS3()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with fake_trino() as trino:
        glue = boto3.client("glue", endpoint_url=url, **_CLIENT)
        client = TrinoClient(trino.url.removesuffix("/v1/statement"))
        executions = Executions(client, glue, s3, faults)
        athena = CheckedAthena(Athena(executions, glue, s3, faults))
        with serving(make_server(port, athena, CheckedGlue(Glue(REGION)), faults)):
            yield Gateway(url, boto3.client("athena", endpoint_url=url, **_CLIENT), glue, s3, trino)
