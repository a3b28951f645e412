"""Loading forecasts of series that have ended: zeros for every recipe, counted apart."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from salescast.lake import Lake
from salescast.quantiles import QUANTILE_COLUMNS
from salescast.week.batch import RunRecord
from salescast.week.load import Forecasts, LandedRun, land_run

CUTOFF = date(2026, 10, 31)
NAIVE = {"1:a": 12.5, "1:new": 3.0, "1:gone": 0.0}
RUN = RunRecord(
    run_id="b1-1-mine",
    model_id="mine",
    recipe="mine",
    kind="forecast",
    cutoff_date=CUTOFF,
    prediction_length=2,
    trained_model_id=None,
    data_hash="d",
)


def write_rows(path: Path, values: dict[str, float], ended: str = "") -> Path:
    """Two weeks a series, all numbers alike; with `ended` the column is_ended."""
    numbers = ", ".join(f"v as {column}" for column in ("mean", *QUANTILE_COLUMNS))
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            copy (
                select item_id, week::integer as horizon_weeks, {numbers}
                    {", item_id = $ended as is_ended" if ended else ""}
                from (select unnest($items) as item_id, unnest($values) as v)
                cross join range(1, 3) as weeks (week)
            ) to '{path}' (format parquet)
            """,
            {"items": list(values), "values": list(values.values())}
            | ({"ended": ended} if ended else {}),
        )
    return path


def land(folder: Path, forecasts: Forecasts) -> LandedRun:
    facts = {"forecaster": "warehouse", "seed": None, "hyperparameters": None, "code_version": "1"}
    return land_run(
        Lake(folder / "lake"),
        RUN,
        forecasts,
        batch_id="b1",
        lower_bound=0.0,
        facts=facts,
        fallback_list=folder / "fallback.csv",
    )


def means(folder: Path) -> dict[str, float]:
    rows = Lake(folder / "lake").read("forecasts").to_pylist()
    return {row["item_id"]: row["mean"] for row in rows}


def test_a_model_that_forecasts_an_ended_series_does_not_have_its_way(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.parquet", {"1:a": 10.0, "1:gone": 500.0})
    fallback = write_rows(tmp_path / "naive.parquet", NAIVE, ended="1:gone")
    landed = land(tmp_path, Forecasts(rows=rows, fallback=fallback))
    assert means(tmp_path) == {"1:a": 10.0, "1:new": 3.0, "1:gone": 0.0}
    assert (landed.n_items, landed.n_rows) == (3, 6)
    assert landed.fallback_items == ("1:new",)
    assert str(landed).endswith(
        "; 1 by the seasonal naive: 1:new; 1 ended, forecast as 0 (reports.rpt_ended_series)"
    )


def test_the_naive_itself_tells_how_many_have_ended(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "naive.parquet", NAIVE, ended="1:gone")
    landed = land(tmp_path, Forecasts(rows=rows, is_rounded=True))
    assert means(tmp_path) == NAIVE
    assert (landed.n_fallback_items, landed.n_ended_items) == (0, 1)


@pytest.mark.parametrize("ended", ["", "1:other"])
def test_without_an_ended_series_nothing_is_said_of_any(tmp_path: Path, ended: str) -> None:
    rows = write_rows(tmp_path / "rows.parquet", {"1:a": 10.0}, ended=ended)
    landed = land(tmp_path, Forecasts(rows=rows, is_rounded=True))
    assert str(landed) == "1 series, 2 rows"
