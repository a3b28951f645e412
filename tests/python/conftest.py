"""The option of a longer run: more of what is left to chance, and of what takes long."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from s3_server import S3Server, running_s3_server


def pytest_configure() -> None:
    # In the background of a shell script SIGINT is ignored, by all children too; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="kill and fail more often, compare all of Walmart, as `make test-long` does",
    )


@pytest.fixture(scope="session")
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether tests shall do often or wholly what takes long."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """S3 and STS that answer on this machine."""
    with running_s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server
