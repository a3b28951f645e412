"""The option of a longer run, what was not run, and servers that several folders use."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from support.s3_server import S3Server, running_s3_server

NOT_RUN = "Skipped: NOT RUN: "


def pytest_configure() -> None:
    # In the background of a shell script SIGINT is ignored, by all children too; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Before anything imports numpy: on more threads small products wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Each test of a command starts Python anew, which should find its modules compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


LANE_OF_FOLDER = {
    "tests/python/on_athena": "athena",
    "tests/python/on_sagemaker": "sagemaker",
    "packages/local-aws/tests/sagemaker_jobs": "sagemaker",
    "tests/python/end_to_end": "dbt",
    "tests/python/marts": "dbt",
}
"""The mark that all tests of a folder have, by what they need; others carry theirs in the file."""


ONE_PROCESS = (
    "tests/python/on_athena",
    "tests/python/on_sagemaker",
    "packages/local-aws/tests/sagemaker_jobs",
    "tests/python/marts",
)
"""Folders whose files share servers or homes: with pytest-xdist one process has all of a folder."""

BEGUN_FIRST = (
    "on_athena",
    "on_sagemaker",
    "test_contract_properties",
    "docs/test_blocks",
    "cases/test_build",
    "end_to_end/test_chain_with_deepar",
    "end_to_end/test_untidy_sales",
    "end_to_end/test_trained_model",
    "end_to_end/test_little_or_bad_input",
    "end_to_end/test_full_disk_in_a_week",
    "test_commands",
    "test_wheel",
)
"""Groups of a minute and more, the longest first, so that two processes end at nearly one time."""


def group_of(path: Path) -> str:
    """What stays in one process: a file, or a folder whose files share something.

    Args:
        path: A test file, from the root of the repository.
    """
    shared = (folder for folder in ONE_PROCESS if path.is_relative_to(folder))
    return next(shared, str(path.with_suffix(""))).removeprefix("tests/python/")


class ByGroup(LoadFileScheduling):
    """Gives each process a group of tests at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(Path(nodeid.split("::", 1)[0]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByGroup | None:
    """With `--dist loadfile` a group takes the place of a file."""
    return ByGroup(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by the one thing that their folder needs; put the longest groups first."""
    order = {name: n for n, name in enumerate(BEGUN_FIRST)}
    rank = {}
    for item in items:
        path = item.path.relative_to(config.rootpath)
        rank[item] = order.get(group_of(path), len(order))
        for folder, lane in LANE_OF_FOLDER.items():
            if path.is_relative_to(folder):
                item.add_marker(lane)
    # As a process of pytest-xdist.
    if hasattr(config, "workerinput"):
        items.sort(key=rank.__getitem__)


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
