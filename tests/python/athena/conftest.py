"""One local AWS for the session; where it cannot run, that is said loudly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.artifacts import missing
from local_aws.stack import Stack, running_stack

from .shop import Shop
from .warehouse import NO_TESTS, Athena

_not_run: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in _not_run:
        terminalreporter.section("Athena", sep="!", red=True, bold=True)
        terminalreporter.line(f"NOT RUN: {reason}", red=True)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running local AWS; one that LOCAL_AWS_HOME names is used as it is."""
    if home := os.environ.get("LOCAL_AWS_HOME"):
        yield Stack(Path(home))
        return
    if reason := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"The Athena suite cannot run: {reason}")
        _not_run[:] = [reason]
        pytest.skip(f"NOT RUN: {reason}")
    with running_stack(tmp_path_factory.mktemp("aws")) as started:
        yield started


@pytest.fixture(scope="session")
def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small chain with a forecast and a backtest; each test goes on with it as it is."""
    made = Shop(Athena(stack, "shop", tmp_path_factory.mktemp("shop"), variables=NO_TESTS))
    made.land_weeks(130)
    made.command("run", "--model", "snaive_52", "--backtests", "1")
    return made
