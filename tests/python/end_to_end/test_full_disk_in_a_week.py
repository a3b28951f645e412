"""A disk that fills up while a warehouse is built: told, nothing half landed, and gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.home import REPOSITORY, Home
from support.tmpfs import SIZES, mounted, needs_mounts

COLUMNS = "model_id, item_id, cutoff_date, week_end_date, mean, p05, p50, p95"
RUN = ("run", "--model", "snaive_52", "--horizon", "4")
OTHERS: tuple[tuple[str, ...], ...] = (
    ("build",),
    ("backtest", "--cutoff", "2026-08-01", "--model", "snaive_52", "--horizon", "4"),
    ("ingest", "DATA", "--mapping", "demo", "--check"),
    ("report",),
)


def forecasts(home: Home) -> list[tuple[object, ...]]:
    """What the newest batch has landed."""
    batch_id = home.batch.batch_id
    rows = home.landed("forecasts", f"run_id, {COLUMNS}")
    return sorted((row[1:] for row in rows if row[0].startswith(batch_id)), key=str)


@needs_mounts
def test_a_week_goes_on_where_the_disk_was_full(tmp_path: Path, is_long: bool) -> None:
    """Each size that is free, to which a build takes it; with --long all of them."""
    data = tmp_path / "data"
    base = Home(tmp_path / "home", REPOSITORY)
    base.command("simulate", data, "--stores", "1", "--departments", "2", "--weeks", "120")
    base.command("ingest", data, "--mapping", "demo")
    base.command(*RUN)
    wanted = forecasts(base)
    assert wanted
    for n_bytes in SIZES[1:] if is_long else (1 << 20,):
        with mounted(tmp_path / "disk", 128 << 20) as tmpfs:
            home = Home(tmpfs.place / "home", REPOSITORY)
            shutil.copytree(base.path, home.path)
            tmpfs.leave(n_bytes)
            is_enough = n_bytes == SIZES[-1]
            told = home.command(*RUN, code=0 if is_enough else 1)
            if not is_enough:
                assert told.count("Error: ") == 1
                assert "The disk is full" in told
                assert "Free some space, then " in told
                assert not [path for path in home.path.rglob("*.part") if path.is_file()]
            for other in OTHERS if is_long and not is_enough else ():
                arguments = [str(data) if each == "DATA" else each for each in other]
                assert "The disk is full" in home.command(*arguments, code=1)
            tmpfs.free()
            home.command("prune", "--older-than", "0")
            home.command("run", "--resume")
            assert home.batch.status == "done"
            assert forecasts(home) == wanted
            rows = home.marts("select count(*) from shop_marts.fct_forecast")
            assert rows == [(2 * len(wanted),)]
