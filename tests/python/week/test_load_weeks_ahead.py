"""Weeks ahead: zeros in every run where a series is closed, else their share of a whole week."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salescast.lake import Lake
from salescast.quantiles import QUANTILE_COLUMNS, QUANTILES
from salescast.week.batch import RunRecord
from salescast.week.load import Forecasts, LandedRun, land_run
from salescast.week.run import carry_out
from support.small_week import HORIZON, begin, done_steps, forecasts, kill_at, open_week

NUMBERS = ("mean", *QUANTILE_COLUMNS)
CLOSED = [("1:a", 2), ("1:new", 1), ("1:new", 2), ("1:gone", 1), ("9:other", 1)]
RUN = RunRecord(
    run_id="b1-1-mine",
    model_id="mine",
    recipe="mine",
    kind="forecast",
    cutoff_date=date(2026, 10, 31),
    prediction_length=2,
    trained_model_id=None,
    data_hash="d",
)


def write_rows(path: Path, values: dict[str, float], ended: str = "") -> Path:
    """Two weeks a series, all numbers alike."""
    numbers = ", ".join(f"v as {column}" for column in NUMBERS)
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            copy (
                select item_id, week::integer as horizon_weeks, {numbers},
                    item_id = $ended as is_ended
                from (select unnest($items) as item_id, unnest($values) as v)
                cross join range(1, 3) as weeks (week)
            ) to '{path}' (format parquet)
            """,
            {"items": list(values), "values": list(values.values()), "ended": ended},
        )
    return path


def write_answers(folder: Path, items: Sequence[str]) -> tuple[Path, Path]:
    """What a trained model answers: 7 to 8 for each series and week, and the items of it."""
    answers, names = folder / "answers.parquet", folder / "items.parquet"
    rows = [
        {"item_id": item, "mean": [7.5, 7.5], "quantiles": [[7 + float(q)] * 2 for q in QUANTILES]}
        for item in items
    ]
    pq.write_table(pa.Table.from_pylist(rows), answers)
    pq.write_table(pa.table({"item_id": list(items)}), names)
    return answers, names


def write_closed(folder: Path, closed: Sequence[tuple[str, int]] = CLOSED) -> Path:
    path = folder / "closed.parquet"
    items, weeks = zip(*closed, strict=True) if closed else ((), ())
    columns = {
        "item_id": pa.array(items, pa.string()),
        "horizon_weeks": pa.array(weeks, pa.int32()),
    }
    pq.write_table(pa.table(columns), path)
    return path


def land(
    folder: Path, forecasts: Forecasts, closed: Path | None, lower_bound: float = 0.0
) -> LandedRun:
    return land_run(
        Lake(folder / "lake"),
        RUN,
        forecasts,
        batch_id="b1",
        lower_bound=lower_bound,
        facts={"forecaster": "x", "seed": None, "hyperparameters": None, "code_version": "1"},
        fallback_list=folder / "fallback.csv",
        closed_weeks=closed,
    )


def landed_values(folder: Path) -> dict[tuple[str, int], set[float]]:
    rows = Lake(folder / "lake").read("forecasts").to_pylist()
    return {(row["item_id"], row["horizon_weeks"]): {row[name] for name in NUMBERS} for row in rows}


@pytest.mark.parametrize("lower_bound", [0.0, 1.0, -5.0])
def test_closed_weeks_of_a_model_and_of_its_fallback_land_as_zeros(
    tmp_path: Path, lower_bound: float
) -> None:
    rows = write_rows(tmp_path / "rows.parquet", {"1:a": 10.0, "1:gone": 500.0})
    naive = {"1:a": 12.5, "1:new": 3.0, "1:gone": 0.0}
    fallback = write_rows(tmp_path / "naive.parquet", naive, ended="1:gone")
    closed = write_closed(tmp_path)
    landed = land(tmp_path, Forecasts(rows=rows, fallback=fallback), closed, lower_bound)
    values = landed_values(tmp_path)
    assert values[("1:a", 1)] == {10.0}
    assert values[("1:a", 2)] == values[("1:new", 1)] == values[("1:new", 2)] == {0.0}
    # What has ended is told as such, and a series that this run has not is in no count.
    assert (landed.n_closed_items, landed.n_closed_weeks) == (2, 3)
    assert landed.n_ended_items == 1
    assert str(landed).endswith("; 2 closed for a time, 3 weeks as 0")


def test_closed_weeks_of_a_trained_model_land_as_zeros(tmp_path: Path) -> None:
    answers, items = write_answers(tmp_path, ["1:a", "1:b"])
    made = Forecasts(answers=answers, items=items)
    landed = land(tmp_path, made, write_closed(tmp_path))
    values = landed_values(tmp_path)
    assert values[("1:a", 2)] == {0.0}
    assert min(values[("1:a", 1)]) > 7 and min(values[("1:b", 2)]) > 7
    assert (landed.n_closed_items, landed.n_closed_weeks) == (1, 1)


def test_answers_of_whole_weeks_land_as_the_share_of_theirs(tmp_path: Path) -> None:
    answers, items = write_answers(tmp_path, ["1:a", "1:b"])
    shares = tmp_path / "shares.parquet"
    columns = {"item_id": pa.string(), "horizon_weeks": pa.int32(), "week_share": pa.float64()}
    rows = [("1:a", 1, 0.5), ("1:a", 2, 0.0), ("1:b", 2, 1.2), ("9:other", 1, 0.5)]
    values = [dict(zip(columns, row, strict=True)) for row in rows]
    pq.write_table(pa.Table.from_pylist(values, pa.schema(columns)), shares)
    made = Forecasts(answers=answers, items=items, shares_ahead=shares)
    land(tmp_path, made, None, lower_bound=3.6)
    landed = landed_values(tmp_path)
    # The bound is one of the week as it is: half of p05, 7.05, is raised to it.
    assert (min(landed[("1:a", 1)]), max(landed[("1:a", 1)])) == (3.6, 3.975)
    assert landed[("1:a", 2)] == {3.6}
    assert min(landed[("1:b", 1)]) == 7.05
    assert min(landed[("1:b", 2)]) == pytest.approx(1.2 * 7.05)


def test_a_landing_that_is_done_again_tells_the_same(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.parquet", {"1:a": 10.0})
    closed = write_closed(tmp_path)
    first = land(tmp_path, Forecasts(rows=rows), closed)
    assert land(tmp_path, Forecasts(rows=rows), closed) == first


@pytest.mark.parametrize("has_file", [False, True])
def test_without_a_closed_week_nothing_changes(tmp_path: Path, has_file: bool) -> None:
    rows = write_rows(tmp_path / "rows.parquet", {"1:a": 10.0})
    landed = land(tmp_path, Forecasts(rows=rows), write_closed(tmp_path, []) if has_file else None)
    assert set().union(*landed_values(tmp_path).values()) == {10.0}
    assert str(landed) == "1 series, 2 rows"


def test_every_run_of_a_batch_lands_its_closed_weeks_as_zeros(tmp_path: Path) -> None:
    world = begin(tmp_path)
    world.closed_weeks = [{"item_id": "2:a", "horizon_weeks": HORIZON}]
    carry_out(open_week(world))
    rows = forecasts(world)
    assert {row["model_id"] for row in rows} == {"snaive_52", "deepar"}
    for row in rows:
        is_closed = (row["item_id"], row["horizon_weeks"]) == ("2:a", HORIZON)
        assert (row["p50"] == 0.0) is is_closed, row


def test_a_batch_that_began_without_closed_weeks_still_lands(tmp_path: Path) -> None:
    world = begin(tmp_path)
    world.closed_weeks = [{"item_id": "2:a", "horizon_weeks": HORIZON}]
    kill_at(world, lambda call: call[0] == "train")
    for path in (world.folder / "batches").rglob("closed_weeks.parquet"):
        if "deepar" in path.parent.name:
            path.unlink()
    carry_out(open_week(world))
    values = {
        row["model_id"]: row["p50"]
        for row in forecasts(world)
        if (row["item_id"], row["horizon_weeks"]) == ("2:a", HORIZON)
    }
    assert values["snaive_52"] == 0.0
    assert values["deepar"] > 0.0
    assert "load" in {step for _, step in done_steps(world)}
