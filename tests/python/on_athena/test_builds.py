"""Builds of one warehouse: again and again, throttled, from nothing, and killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from support.shop import FIRST_WEEK, N_SERIES, WEEKS_AT_FIRST, Reader, Shop, differences
from support.warehouse import WITH_DATA_TESTS

KILLS, KILLS_LONG = 1, 15
SEED = 20261125


@dataclass(frozen=True)
class KilledBuilds:
    """Builds that were killed while weeks landed, each mended by a build that Athena throttled.

    n_killed: How many were.
    n_reads: Tables that others read meanwhile.
    halves: What they saw that was neither the state before nor the one after.
    """

    n_killed: int
    n_reads: int
    halves: list[tuple[str, str]]


@pytest.fixture(scope="module")
def killed_builds(shop: Shop, is_long: bool) -> KilledBuilds:
    chance = random.Random(SEED)
    wanted = KILLS_LONG if is_long else KILLS
    # Of a whole build, for a start; later those of the last one.
    seconds = {build_by_dbt: 40.0, build_by_salescast: 40.0}
    n_killed = 0
    halves: list[tuple[str, str]] = []
    with Reader(shop) as reader:
        before = reader.digests()
        # A build that ended before its kill came is another one to kill.
        for n in range(2 * wanted):
            shop.land_weeks(1, restate=True)
            build = (build_by_salescast, build_by_dbt)[n % 2]
            # Every other time the build that is to mend it is killed too.
            for _ in range(min(1 + n % 2, wanted - n_killed)):
                n_killed += kill_after(build(shop), chance.uniform(0.1, 1.0) * seconds[build])
            started = time.monotonic()
            with shop.faults(throttle_rate=0.15, seed=SEED):
                code, printed = finish(build(shop))
                if code and build is build_by_dbt and "TABLE_ALREADY_EXISTS" in printed:
                    # The killed dbt's last statement ended only now; docs/athena.md says so.
                    code, printed = finish(build(shop))
            seconds[build] = time.monotonic() - started
            assert code == 0, printed
            shop.is_behind = False
            after = reader.digests()
            compared = "shop_marts.fct_forecast_vs_actual"
            assert after[compared] != before[compared]
            halves += reader.halves(before, after)
            before = after
            if n_killed == wanted:
                break
    assert n_killed == wanted
    return KilledBuilds(n_killed, reader.n_reads, halves)


@pytest.mark.timeout(5400)
def test_a_killed_build_leaves_whole_tables_and_a_rerun_finishes_it(
    killed_builds: KilledBuilds,
    built_shop: Shop,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("builds_killed", killed_builds.n_killed)
    record_property("reads_by_others", killed_builds.n_reads)
    assert killed_builds.halves == []
    assert built_shop.differences_from_duckdb(tmp_path / "duckdb") == {}


@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("killed_builds")
def test_builds_are_idempotent_and_equal_a_full_refresh(built_shop: Shop, is_long: bool) -> None:
    shop = built_shop
    new = shop.tables()
    n_actuals = f"select count(*) from {shop.athena.name}_marts.fct_forecast_vs_actual"
    # Both models at the last cutoff, whose first week has landed since.
    week = FIRST_WEEK + timedelta(weeks=WEEKS_AT_FIRST)
    ((n,),) = shop.athena.rows(f"{n_actuals} where week_end_date = date '{week}'")
    assert n == str(2 * N_SERIES)

    # Only these could hold a row twice; the others are made from nothing each time.
    shop.athena.build(*(() if is_long else ("--select", "config.materialized:incremental")))
    assert differences(new, shop.tables()) == {}

    shop.command("build", "--full-refresh", **WITH_DATA_TESTS)
    assert "test" in built_last(shop)
    assert differences(new, shop.tables()) == {}


def built_last(shop: Shop) -> set[str]:
    """Types of the nodes that the last `salescast build` has run."""
    path = shop.athena.folder / "dbt" / "target" / "run_results.json"
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {each["unique_id"].split(".")[0] for each in results}


def build_by_dbt(shop: Shop) -> subprocess.Popen[bytes]:
    return start(shop, shop.athena.command("build"))


def build_by_salescast(shop: Shop) -> subprocess.Popen[bytes]:
    return start(shop, [sys.executable, "-m", "salescast", "build"])


def start(shop: Shop, command: list[str]) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own."""
    return subprocess.Popen(
        command,
        env=shop.athena.environment,
        cwd=shop.athena.project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Exit status and output of a command that is let be."""
    printed, _ = process.communicate()
    return process.returncode, printed.decode()


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """SIGKILL a command and its children after a time; whether it had not ended by itself."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False
