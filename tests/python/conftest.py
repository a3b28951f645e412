"""The option of a longer run, what was not run, and servers that several folders use."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Generator, Iterator

import pytest

from support.s3_server import S3Server, running_s3_server

NOT_RUN = "Skipped: NOT RUN: "


def pytest_configure() -> None:
    # In the background of a shell script SIGINT is ignored, by all children too; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


LANE_OF_FOLDER = {
    "tests/python/on_athena": "athena",
    "tests/python/on_sagemaker": "sagemaker",
    "packages/local-aws/tests/sagemaker_jobs": "sagemaker",
    "tests/python/end_to_end": "dbt",
    "tests/python/marts": "dbt",
}
"""The mark that all tests of a folder have, by what they need; others carry theirs in the file."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of folders that need one thing."""
    for item in items:
        path = item.path.relative_to(config.rootpath)
        for folder, lane in LANE_OF_FOLDER.items():
            if path.is_relative_to(folder):
                item.add_marker(lane)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="kill and fail more often, compare all of Walmart, as `make test-long` does",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """Say last and loudly what was skipped as NOT RUN, and why.

    Read from the reports, because tests may run in other processes than the one that prints.
    """
    yield
    skipped = (each.longrepr for each in terminalreporter.getreports("skipped"))
    reasons = Counter(why[2] for why in skipped if isinstance(why, tuple))
    not_run = {why: n for why, n in reasons.items() if why.startswith(NOT_RUN)}
    if not_run:
        terminalreporter.section("NOT RUN", sep="!", red=True, bold=True)
    for why, n in not_run.items():
        terminalreporter.line(f"{n} tests: {why.removeprefix(NOT_RUN)}", red=True)


@pytest.fixture(scope="session")
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether tests shall do often or wholly what takes long."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """S3 and STS that answer on this machine."""
    with running_s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server
