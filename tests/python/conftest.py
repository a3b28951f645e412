"""The option of a longer run, what was not run, and servers that several folders use."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Generator, Iterator

import pytest

from support.s3_server import S3Server, running_s3_server

LANES = ("athena", "sagemaker", "dbt", "torch")
NOT_RUN = "Skipped: NOT RUN: "


def pytest_configure() -> None:
    # In the background of a shell script SIGINT is ignored, by all children too; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# The long ones first, so that no worker is left alone with one at the end.
_LANES = {
    "tests/python/on_athena": "athena",
    "tests/python/on_sagemaker": "sagemaker",
    "packages/local-aws/tests/sagemaker_jobs": "sagemaker",
    "tests/python/end_to_end": "dbt",
    "tests/python/marts": "dbt",
}
# Fixtures of these folders are one state that their tests share.
_ONE_WORKER = ("tests/python/on_athena", "tests/python/on_sagemaker", "tests/python/marts")


# First, so that pytest-xdist finds the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they need, and keep those that share something in one process."""
    for item in items:
        path = item.path.relative_to(config.rootpath)
        for folder, lane in _LANES.items():
            if path.is_relative_to(folder):
                item.add_marker(lane)
        shared = [folder for folder in _ONE_WORKER if path.is_relative_to(folder)]
        item.add_marker(pytest.mark.xdist_group(shared[0] if shared else str(path)))
    items.sort(key=_lane)


def _lane(item: pytest.Item) -> int:
    marks = [lane for lane in LANES if item.get_closest_marker(lane)]
    return LANES.index(marks[0]) if marks else len(LANES)


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
