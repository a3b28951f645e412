"""One local AWS for the tests of this folder; where it cannot run, that is said loudly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end.project import project_with_tiny_model
from sagemaker.cloud import of_stack

from local_aws.artifacts import missing
from local_aws.stack import Stack, running_stack

from .shop import HORIZON, WEEKS_AT_FIRST, Shop
from .warehouse import NO_TESTS, Athena

_not_run: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in _not_run:
        terminalreporter.section("Athena", sep="!", red=True, bold=True)
        terminalreporter.line(f"NOT RUN: {reason}", red=True)


# Not for the session: an idle Trino takes memory and some of the processor.
@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A chain with a week's forecast and a backtest; each test goes on with it as it is."""
    folder = tmp_path_factory.mktemp("shop")
    project = project_with_tiny_model(folder / "project")
    variables = of_stack(stack, "shop") | NO_TESTS
    made = Shop(Athena(stack, "shop", folder / "home", project, variables))
    made.land_weeks(WEEKS_AT_FIRST)
    week = ("--model", "tiny", "--horizon", str(HORIZON), "--backtests", "1")
    made.first_run_printed = made.command("run", *week)
    return made
