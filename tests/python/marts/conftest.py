"""A small home with a backtest; where older clients cannot be had, that is said loudly."""

from __future__ import annotations

import os
from datetime import date
from typing import NoReturn

import pytest

from support.home import REPOSITORY, Home
from support.sources import amount, weeks, write_csv, write_mapping

SATURDAY = date(2023, 1, 7)


def not_run(reason: str) -> NoReturn:
    """Skip a test so that nobody takes it for passed; on CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(f"NOT RUN: {reason}")


@pytest.fixture(scope="package")
def small(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two stores, seventy weeks, and a backtest of the naive over six of them."""
    folder = tmp_path_factory.mktemp("small")
    rows = [
        (store, "a", label, amount(100, week))
        for store in ("1", "2")
        for week, label in enumerate(weeks(SATURDAY, 70))
    ]
    write_csv(folder / "source" / "sales.csv", ("store", "department", "date", "sales"), rows)
    mapping = write_mapping(folder / "small.yml", grain="weekly", week_ends_on="saturday")
    home = Home(folder / "home", REPOSITORY)
    home.command("ingest", folder / "source", "--mapping", mapping)
    cutoff = str(weeks(SATURDAY, 70)[-7])
    home.command("backtest", "--cutoff", cutoff, "--horizon", "8", "--model", "snaive_52")
    return home
