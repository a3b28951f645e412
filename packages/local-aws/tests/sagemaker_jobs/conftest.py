from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import requests
from botocore.validate import ParamValidator

from local_aws.sagemaker.__main__ import make_server
from local_aws.sagemaker.faults import Faults
from local_aws.sagemaker.jobs import Holdings
from local_aws.sagemaker.machine import Machine
from local_aws.sagemaker.operations import SageMaker
from local_aws.stack import Stack, running_stack

from .sagemaker_server import REGION, Served, client, served_by

STAND_IN = (sys.executable, "-S", str(Path(__file__).with_name("stand_in.py")))


class CheckedSageMaker:
    """Passes calls on; an answer that botocore's model does not have is an error of the server."""

    def __init__(self, sagemaker: SageMaker) -> None:
        self._sagemaker = sagemaker
        self._model = botocore.session.get_session().get_service_model("sagemaker")

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        answer = self._sagemaker.call(operation, request)
        shape = self._model.operation_model(operation).output_shape
        if answer is not None and shape is not None:
            # A job has no artifact before it has ended, whatever the model says.
            artifact = {"ModelArtifacts": {"S3ModelArtifacts": ""}}
            full = artifact | answer if operation == "DescribeTrainingJob" else answer
            report = ParamValidator().validate(full, shape)
            assert not report.has_errors(), report.generate_report()
        return answer


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """MiniStack and the SageMaker that runs the DeepAR program."""
    with running_stack(tmp_path_factory.mktemp("aws"), services=("sagemaker",)) as started:
        yield started


@pytest.fixture(scope="session")
def real(stack: Stack) -> Served:
    """The process that `up` starts."""
    return served_by(stack)


@pytest.fixture(scope="session")
def _quick(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    url = stack.environment["AWS_ENDPOINT_URL"]
    s3, logs, faults = client("s3", url), client("logs", url), Faults()
    machine = Machine(s3, logs, tmp_path_factory.mktemp("work"), STAND_IN)
    checked: Any = CheckedSageMaker(
        SageMaker(machine, Holdings(REGION, "000000000000"), REGION, faults)
    )
    server = make_server(0, checked, faults)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = f"http://127.0.0.1:{server.server_address[1]}"
    yield Served(own, stack.bucket, client("sagemaker", own), s3, logs)
    server.shutdown()
    server.server_close()


@pytest.fixture
def quick(_quick: Served) -> Iterator[Served]:
    """A SageMaker without faults whose program is the stand-in; its answers are checked."""
    yield _quick
    requests.delete(f"{_quick.url}/faults")
