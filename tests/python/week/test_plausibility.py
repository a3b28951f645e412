"""The gate before landing: forecasts beyond anything that was ever sold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from salescast.errors import RunError
from salescast.lake import Lake, StagedFile
from salescast.quantiles import QUANTILE_COLUMNS
from salescast.week.batch import RunRecord
from salescast.week.load import Forecasts, LandedRun, land_run
from salescast.week.output_check import check_output, write_manifest
from support.answers import answer, write_lines

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
SERIES = [f"1:{letter}" for letter in "abcdefghijklmnopqrst"]
NUMBERS = ("mean", *QUANTILE_COLUMNS)
HIGHEST = 100.0
"""What each series sold in its highest week; a forecast of ten times as much can be believed."""
NAIVE = 7.0
NEVER = 1e6
"""A forecast of a week that nobody believes, and that a chain of all series would not notice."""
NOT_PLAUSIBLE = r"The forecasts of mine at 2026-10-31 are not plausible: those of "


class Week:
    """A lake with one run, its rows, and what stands beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = Lake(folder / "lake")
        self.ranges: Path | None = folder / "ranges.parquet"
        self.sold(dict.fromkeys(SERIES, HIGHEST), chain=1e9)
        self.forecasts = Forecasts(
            rows=folder / "rows.parquet", fallback=folder / "naive.parquet", is_rounded=True
        )
        self.naive(SERIES)

    def sold(self, highest: Mapping[str, float | None], chain: float | None) -> None:
        """Write the ranges of series by their highest week, and the chain's largest week."""
        assert self.ranges is not None
        self._write(
            self.ranges,
            """
            select item_id, highest_sales, 10 * highest_sales as largest_plausible,
                $chain::double as chain_largest_plausible
            from (select unnest($items) as item_id, unnest($values) as highest_sales)
            """,
            highest,
            chain=chain,
        )

    def naive(self, items: list[str], ended: str = "") -> None:
        """Write the fallback's rows, zeros for the series that has ended."""
        values = {item: 0.0 if item == ended else NAIVE for item in items}
        self._rows(self.folder / "naive.parquet", values, ended)

    def model(
        self, values: Mapping[str, float | None], columns: Sequence[str] = (), other: float = 10.0
    ) -> None:
        """Write the model's rows: the values in some columns or all, and `other` in the rest."""
        self._rows(self.folder / "rows.parquet", values, columns=columns, other=other)

    def _rows(
        self,
        path: Path,
        values: Mapping[str, float | None],
        ended: str = "",
        columns: Sequence[str] = (),
        other: float = 0.0,
    ) -> None:
        # Only the second week holds the value, so that the first is not all that is looked at.
        rest = str(other) if columns else "v / 2"
        numbers = ", ".join(
            f"if({not columns or name in columns} and week = 2, v, {rest}) as {name}"
            for name in NUMBERS
        )
        self._write(
            path,
            f"""
            select item_id, week::integer as horizon_weeks, {numbers},
                item_id = $ended as is_ended
            from (select unnest($items) as item_id, unnest($values) as v)
            cross join range(1, 3) as weeks (week)
            """,
            values,
            ended=ended,
        )

    @staticmethod
    def _write(path: Path, query: str, values: Mapping[str, float | None], **more: Any) -> None:
        with duckdb.connect() as connection:
            connection.execute(
                f"copy ({query}) to '{path}' (format parquet)",
                {"items": list(values), "values": list(values.values()), **more},
            )

    def land(self, lower_bound: float | None = None) -> LandedRun:
        return land_run(
            self.lake,
            RUN,
            self.forecasts,
            batch_id="b1",
            lower_bound=lower_bound,
            facts={
                **{"forecaster": "warehouse", "seed": None},
                **{"hyperparameters": None, "code_version": "1"},
            },
            fallback_list=self.folder / "fallback.csv",
            plausible_range=self.ranges,
        )

    def landed(self) -> dict[str, float]:
        """The mean of the second week of each series."""
        rows = self.lake.read("forecasts").to_pylist()
        assert {(row["run_id"], row["model_id"]) for row in rows} == {("b1-1-mine", "mine")}
        return {row["item_id"]: row["mean"] for row in rows if row["horizon_weeks"] == 2}

    def listed(self) -> dict[str, tuple[str, float | None, float | None]]:
        """What the lake says of the series with the fallback's rows."""
        return {
            row["item_id"]: (row["reason"], row["largest_forecast"], row["largest_plausible"])
            for row in self.lake.read("fallback_items").to_pylist()
        }

    def refused(self, message: str) -> None:
        """Land, and see that it is refused and that no file is left."""
        with pytest.raises(RunError, match=message):
            self.land()
        assert [path for path in self.lake.root.rglob("*") if path.is_file()] == []


@pytest.fixture
def week(tmp_path: Path) -> Week:
    return Week(tmp_path)


def values(**changed: float | None) -> dict[str, float | None]:
    """A forecast of 10 for each series but those that are named by their department."""
    return {item: changed.get(item.removeprefix("1:"), 10.0) for item in SERIES}


def test_a_series_that_cannot_be_believed_takes_the_fallbacks_rows(week: Week) -> None:
    week.model(values(c=NEVER))
    landed = week.land()
    assert week.landed() == values(c=NAIVE)
    assert week.listed() == {"1:c": ("implausible", NEVER, 1000.0)}
    assert (landed.n_items, landed.n_fallback_items, landed.n_implausible_items) == (20, 1, 1)
    assert str(landed) == (
        "20 series, 40 rows; 1 by the seasonal naive: 1:c; "
        "1 of them forecast beyond anything ever sold: 1:c"
    )
    assert (week.folder / "fallback.csv").read_text(encoding="utf-8").split() == [
        "item_id,reason,largest_forecast,largest_plausible",
        "1:c,implausible,1000000.0,1000.0",
    ]
    [run] = week.lake.read("runs").to_pylist()
    assert (run["n_items"], run["n_fallback_items"], run["n_rows"]) == (20, 1, 40)


@pytest.mark.parametrize("column", NUMBERS)
@pytest.mark.parametrize("value", [1001.0, -1001.0])
def test_each_number_is_looked_at_whatever_its_sign(week: Week, column: str, value: float) -> None:
    week.model(values(c=value), [column])
    landed = week.land()
    assert landed.implausible_items == ("1:c",)
    assert week.landed()["1:c"] == NAIVE


@pytest.mark.parametrize("value", [1000.0, -1000.0, 0.0])
def test_a_strong_season_and_returns_are_believed(week: Week, value: float) -> None:
    week.model(dict.fromkeys(SERIES, value))
    landed = week.land()
    assert set(week.landed().values()) == {value}
    assert (landed.n_fallback_items, week.lake.files("fallback_items")) == (0, [])


def test_a_series_without_sales_is_held_to_its_range(week: Week) -> None:
    week.sold({item: 0.0 if item == "1:c" else HIGHEST for item in SERIES}, chain=1e9)
    week.model(values(c=0.0))
    assert week.land().n_implausible_items == 0


def test_few_wrong_series_are_errors_and_many_a_broken_model(week: Week) -> None:
    week.model(values(a=NEVER, b=NEVER, c=NEVER, d=NEVER))
    assert week.land().n_implausible_items == 4


def test_one_more_wrong_series_refuses_the_run_however_small_they_are(week: Week) -> None:
    week.sold({item: 1.0 if item < "1:f" else HIGHEST for item in SERIES}, chain=1e9)
    week.model(values(**dict.fromkeys("abcde", NEVER)))
    week.refused(NOT_PLAUSIBLE + r"5 of 20 series .* \(1:a, 1:b, 1:c, 1:d, 1:e\)")


def test_many_wrong_series_refuse_the_run(week: Week) -> None:
    week.model(values(**dict.fromkeys("abcdefg", NEVER)))
    week.refused(NOT_PLAUSIBLE + r"7 of 20 series .* \(1:a, 1:b, 1:c, 1:d, 1:e, …\)")


def test_of_a_large_chain_a_twentieth_may_be_wrong(week: Week) -> None:
    items = [f"{n:03d}:a" for n in range(200)]
    week.sold(dict.fromkeys(items, HIGHEST), chain=1e9)
    week.naive(items)
    week.model({item: NEVER if n < 10 else 10.0 for n, item in enumerate(items)})
    assert week.land().n_implausible_items == 10


def test_above_a_twentieth_of_a_large_chain_refuses_the_run(week: Week) -> None:
    items = [f"{n:03d}:a" for n in range(200)]
    week.sold(dict.fromkeys(items, HIGHEST), chain=1e9)
    week.naive(items)
    week.model({item: NEVER if n < 11 else 10.0 for n, item in enumerate(items)})
    week.refused(NOT_PLAUSIBLE + "11 of 200 series")


def test_two_series_with_much_of_the_sales_refuse_the_run(week: Week) -> None:
    week.sold({item: HIGHEST * (4 if item < "1:c" else 1) for item in SERIES}, chain=1e9)
    week.model(values(a=NEVER, b=NEVER))
    week.refused(NOT_PLAUSIBLE + r"2 of 20 series .* \(1:a, 1:b\)")


def test_one_series_with_most_of_the_sales_takes_the_fallbacks_rows(week: Week) -> None:
    week.sold({item: HIGHEST * (1e3 if item == "1:a" else 1) for item in SERIES}, chain=1e9)
    week.model(values(a=1e7))
    assert week.land().implausible_items == ("1:a",)


@pytest.mark.parametrize(
    ("columns", "value"),
    [
        (["mean"], 101.0),
        (["mean"], -101.0),
        (NUMBERS[NUMBERS.index("p50") :], 101.0),
        (NUMBERS[1 : NUMBERS.index("p50") + 1], -101.0),
    ],
    ids=["mean", "mean below 0", "median", "median below 0"],
)
def test_a_chain_that_is_too_large_refuses_the_run(
    week: Week, columns: Sequence[str], value: float
) -> None:
    week.sold(dict.fromkeys(SERIES, HIGHEST), chain=2000.0)
    week.model(dict.fromkeys(SERIES, value), columns, other=0.0)
    week.refused("whole chain by mine at 2026-10-31 is not plausible: its highest week is 2,020, ")


def test_an_answer_of_deepar_is_judged_as_it_would_land(week: Week) -> None:
    folder = week.folder
    lines, items = folder / "answer.jsonl", folder / "items.parquet"
    write_lines(folder / "inference.jsonl", [{"item_id": item} for item in ("1:a", "1:c")])
    write_manifest(folder / "inference.jsonl", items, config={})
    # Raised to the bound the one can be believed; the other is told as it is rounded.
    write_lines(lines, [answer("1:a", -NEVER), answer("1:c", NEVER)])
    check_output(lines, items, folder / "answers.parquet", prediction_length=2, config={})
    week.naive(["1:a", "1:c", "1:t"])
    week.forecasts = Forecasts(
        answers=folder / "answers.parquet", items=items, fallback=folder / "naive.parquet"
    )
    landed = week.land(lower_bound=0.0)
    assert week.landed() == {"1:a": 0.0, "1:c": NAIVE, "1:t": NAIVE}
    assert week.listed() == {
        "1:c": ("implausible", 1_000_010.0, 1000.0),
        "1:t": ("not_forecast", None, None),
    }
    assert landed.implausible_items == ("1:c",)


def test_a_chain_within_its_range_lands_with_the_fallbacks_rows_counted(week: Week) -> None:
    # With the rows that the fallback took over it would be too large.
    week.sold(dict.fromkeys(SERIES, HIGHEST), chain=19 * 10.0 + NAIVE)
    week.model(values(c=NEVER))
    assert week.land().n_implausible_items == 1


def test_the_fallbacks_own_rows_count_for_the_chain(week: Week) -> None:
    week.sold(dict.fromkeys(SERIES, HIGHEST), chain=19 * 10.0 + NAIVE - 0.1)
    week.model(values(c=NEVER))
    week.refused("its highest week is 197, more than 196.9, ")


def test_quantiles_of_all_series_together_are_no_forecast_of_the_chain(week: Week) -> None:
    week.sold(dict.fromkeys(SERIES, HIGHEST), chain=2000.0)
    week.model(dict.fromkeys(SERIES, 900.0), ["p95"])
    assert week.land().n_implausible_items == 0


def test_an_ended_series_gets_zeros_and_is_no_error_of_the_model(week: Week) -> None:
    # Also where an older list of ranges still has it.
    week.naive(SERIES, ended="1:c")
    week.model(values(c=NEVER))
    landed = week.land()
    assert week.landed() == values(c=0.0)
    assert week.listed() == {}
    assert (landed.n_ended_items, landed.n_implausible_items) == (1, 0)
    assert str(landed) == ("20 series, 40 rows; 1 ended, forecast as 0 (reports.rpt_ended_series)")


def test_what_the_model_has_not_forecast_is_listed_beside_it(week: Week) -> None:
    week.model({item: v for item, v in values(c=NEVER).items() if item != "1:t"})
    landed = week.land()
    assert week.landed() == values(c=NAIVE, t=NAIVE)
    assert week.listed() == {
        "1:c": ("implausible", NEVER, 1000.0),
        "1:t": ("not_forecast", None, None),
    }
    assert str(landed).endswith(
        "; 2 by the seasonal naive: 1:c, 1:t; 1 of them forecast beyond anything ever sold: 1:c"
    )


def test_a_partial_model_leaves_out_what_it_does_not_forecast(week: Week) -> None:
    week.forecasts = replace(week.forecasts, is_partial=True)
    week.naive(SERIES, ended="1:t")
    week.model({"1:a": 10.0, "1:b": 20.0, "1:c": NEVER})
    landed = week.land()
    assert week.landed() == {"1:a": 10.0, "1:b": 20.0, "1:c": NAIVE}
    assert week.listed() == {"1:c": ("implausible", NEVER, 1000.0)}
    assert (landed.n_items, landed.n_ended_items) == (3, 0)


def test_a_partial_model_does_not_have_its_way_with_an_ended_series(week: Week) -> None:
    week.forecasts = replace(week.forecasts, is_partial=True)
    week.naive(SERIES, ended="1:c")
    week.model({"1:a": 10.0, "1:c": NEVER})
    assert week.land().n_ended_items == 1
    assert week.landed() == {"1:a": 10.0, "1:c": 0.0}


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize("column", ["mean", "p95"])
def test_what_is_not_finite_is_refused_by_its_own_check(
    week: Week, value: str, column: str
) -> None:
    week.model(values(c=float(value)), [column])
    week.refused(r"a number that is missing or not finite: 1 series \(1:c\)")


def test_what_is_missing_is_refused_by_its_own_check(week: Week) -> None:
    week.model(values(c=None), ["mean"])
    week.refused(r"a number that is missing or not finite: 1 series \(1:c\)")


def test_without_ranges_any_forecast_is_believed(week: Week) -> None:
    week.ranges = None
    week.model(values(c=NEVER))
    assert week.land().n_implausible_items == 0
    assert week.landed() == values(c=NEVER)


def test_a_chain_that_never_sold_has_nothing_to_be_judged_by(week: Week) -> None:
    week.sold(dict.fromkeys(SERIES, None), chain=None)
    week.model(dict.fromkeys(SERIES, 0.001))
    assert week.land().n_implausible_items == 0
    assert set(week.landed().values()) == {0.001}


@pytest.mark.parametrize("has_fallback", [False, True])
def test_without_rows_to_stand_in_the_run_is_refused(week: Week, has_fallback: bool) -> None:
    if has_fallback:
        week.naive([item for item in SERIES if item != "1:c"])
    else:
        week.forecasts = replace(week.forecasts, fallback=None)
    week.model(values(c=NEVER))
    week.refused(NOT_PLAUSIBLE + r"1 series .* nothing stands in for .* \(1:c\)")


def test_no_rows_at_all_are_refused(week: Week) -> None:
    week.forecasts = replace(week.forecasts, is_partial=True)
    week.model({})
    week.refused("no forecast")


def test_a_kill_before_the_forecasts_takes_the_same_series(
    week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    week.model(values(c=NEVER, d=NEVER))

    publish = StagedFile.publish

    def killed(staged: StagedFile) -> Path:
        if staged.target.parent.name == "forecasts":
            raise KeyboardInterrupt
        return publish(staged)

    with monkeypatch.context() as patch:
        patch.setattr(StagedFile, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            week.land()
    listed = landed_files(week.lake)
    assert {table: len(files) for table, files in listed.items()} == {
        "fallback_items": 1,
        "forecasts": 0,
        "runs": 0,
    }
    # What is plausible may be another after a build in between.
    week.sold(dict.fromkeys(SERIES, NEVER), chain=1e9)
    landed = week.land()
    assert landed.implausible_items == ("1:c", "1:d")
    assert week.landed() == values(c=NAIVE, d=NAIVE)
    assert landed_files(week.lake)["fallback_items"] == listed["fallback_items"]
    [run] = week.lake.read("runs").to_pylist()
    assert run["n_fallback_items"] == 2


def test_a_kill_before_the_runs_row_takes_what_has_landed(week: Week) -> None:
    week.model(values(c=NEVER))
    first = week.land()
    before = landed_files(week.lake)
    week.lake.file("runs", RUN.run_id).unlink()
    assert week.ranges is not None
    week.ranges.unlink()
    (week.folder / "rows.parquet").write_text("not read again")
    assert week.land() == first
    assert landed_files(week.lake)["forecasts"] == before["forecasts"]
    [run] = week.lake.read("runs").to_pylist()
    assert run["n_fallback_items"] == 1


def landed_files(lake: Lake) -> dict[str, list[bytes]]:
    return {
        table: [path.read_bytes() for path in lake.files(table)]
        for table in ("fallback_items", "forecasts", "runs")
    }
