"""One local AWS for the tests of this folder; where it cannot run, that is said loudly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.artifacts import missing
from local_aws.stack import Stack, running_stack
from support.cloud import of_stack
from support.project import project_with_tiny_model
from support.shop import HORIZON, WEEKS_AT_FIRST, Shop
from support.warehouse import NO_TESTS, Athena

HOME = 'the "home" [1] of {a,b} *, 50 %'
"""A name that is a pattern: what is copied here from S3 is read by its own name."""


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
        pytest.skip(f"NOT RUN: {reason}")
    with running_stack(tmp_path_factory.mktemp("aws")) as started:
        yield started


@pytest.fixture(scope="package")
def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A chain with a week's forecast and a backtest, and whatever landed since.

    A test that needs its tables built of all that asks for `built_shop`. No test counts on another
    one: what several look at is a fixture's doing.
    """
    folder = tmp_path_factory.mktemp("shop")
    project = project_with_tiny_model(folder / "project")
    variables = of_stack(stack, "shop") | NO_TESTS
    made = Shop(Athena(stack, "shop", folder / HOME, project, variables))
    made.land_weeks(WEEKS_AT_FIRST)
    week = ("--model", "tiny", "--horizon", str(HORIZON), "--backtests", "1")
    made.first_run_printed = made.command("run", *week)
    return made


@pytest.fixture
def built_shop(shop: Shop) -> Shop:
    """The chain with its tables built from all that has landed."""
    shop.build_if_behind()
    return shop
