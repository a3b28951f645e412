"""Loading forecasts: what a crafted answer of DeepAR becomes."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from salescast.errors import RunError
from salescast.lake import Lake
from salescast.week.batch import RunRecord
from salescast.week.export import RunFiles
from salescast.week.load import Forecasts, LandedRun, land_run
from salescast.week.output_check import check_output, write_manifest
from support.answers import answer, write_lines

CUTOFF = date(2026, 10, 31)
COLUMNS = ("p05", "p10", "p20", "p30", "p40", "p50", "p60", "p70", "p80", "p90", "p95")
FACTS = {"forecaster": "local", "seed": 3, "hyperparameters": "{}", "code_version": "1+abc"}


def a_run(recipe: str = "deepar") -> RunRecord:
    return RunRecord(
        run_id="b1-1-deepar",
        model_id="deepar",
        recipe=recipe,
        kind="forecast",
        cutoff_date=CUTOFF,
        prediction_length=2,
        trained_model_id="b1-1-deepar",
        data_hash="d",
    )


class Work:
    """A run's work folder with a checked answer and the naive's rows."""

    def __init__(self, folder: Path) -> None:
        self.files = RunFiles(folder / "work")
        self.lake = Lake(folder / "lake")
        self.files.output.parent.mkdir(parents=True)

    def fill(self, lines: list[dict[str, Any]], naive: list[str] | None = None) -> None:
        items = [line["item_id"] for line in lines]
        write_lines(self.files.inference, [{"item_id": item_id} for item_id in items])
        write_manifest(self.files.inference, self.files.inference_items, config={})
        write_lines(self.files.output, lines)
        check_output(
            self.files.output,
            self.files.inference_items,
            self.files.forecasts,
            prediction_length=2,
            config={},
        )
        self.naive(items if naive is None else naive)

    def naive(self, items: list[str], weeks: int = 2) -> None:
        values = ", ".join(f"cast({7 + n} as double) as {c}" for n, c in enumerate(COLUMNS))
        connection = duckdb.connect()
        connection.execute(
            f"""
            copy (
                select date '{CUTOFF}' as cutoff_date, item_id,
                    cast(date '{CUTOFF}' + cast(7 * h as integer) as date) as week_end_date,
                    cast(h as integer) as horizon_weeks, 12.5::double as mean, {values}
                from (select unnest(?::varchar[]) as item_id), range(1, {weeks + 1}) as r(h)
            ) to '{self.files.baseline}' (format parquet)
            """,
            [items],
        )
        connection.close()

    def land(
        self,
        run: RunRecord | None = None,
        lower_bound: float | None = 0.0,
        total_bands: Path | None = None,
    ) -> LandedRun:
        run = run or a_run()
        if run.recipe == "sql":
            forecasts = Forecasts(rows=self.files.baseline, is_rounded=True)
        else:
            forecasts = Forecasts(
                answers=self.files.forecasts,
                items=self.files.inference_items,
                fallback=self.files.baseline,
                total_bands=total_bands,
            )
        return land_run(
            self.lake,
            run,
            forecasts,
            batch_id="b1",
            lower_bound=lower_bound,
            facts=FACTS,
            fallback_list=self.files.fallback_items,
        )

    def rows(self, item_id: str) -> list[dict[str, Any]]:
        rows = [r for r in self.lake.read("forecasts").to_pylist() if r["item_id"] == item_id]
        return sorted(rows, key=lambda row: row["horizon_weeks"])


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_an_answer_becomes_one_row_a_week_dated_from_the_cutoff(work: Work) -> None:
    work.fill([answer("1:b", 30), answer("1:a", 10)])
    landed = work.land()
    assert (landed.n_items, landed.n_fallback_items, landed.n_rows) == (2, 0, 4)
    rows = work.rows("1:a")
    assert [row["week_end_date"] for row in rows] == [
        CUTOFF + timedelta(weeks=1),
        CUTOFF + timedelta(weeks=2),
    ]
    assert [row["mean"] for row in rows] == [10, 11]
    assert [rows[0][c] for c in COLUMNS] == [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    assert {(r["run_id"], r["model_id"], r["cutoff_date"], r["schema_version"]) for r in rows} == {
        ("b1-1-deepar", "deepar", CUTOFF, 1)
    }


def test_the_run_lands_its_own_row(work: Work) -> None:
    work.fill([answer("1:a")])
    work.land()
    [row] = work.lake.read("runs").to_pylist()
    assert row["n_rows"] == 2
    assert row["batch_id"] == "b1"
    assert row["kind"] == "forecast"
    assert row["seed"] == 3
    assert row["data_hash"] == "d"
    assert row["landed_at"] is not None


def test_a_crossing_that_is_rounding_does_not_outlive_it(work: Work) -> None:
    work.fill([answer("1:a", 20, quantiles={"0.1": [17.0000001, 17], "0.2": [17, 18]})])
    work.land()
    assert [work.rows("1:a")[0][c] for c in ("p10", "p20", "p30")] == [17, 17, 18]


def test_values_are_clipped_and_rounded_to_six_digits(work: Work) -> None:
    work.fill(
        [
            answer(
                "1:a",
                1.23456789,
                mean=[-3.0, 123456789.0],
                quantiles={"0.4": [1e-5 / 3, 1]},
            )
        ]
    )
    work.land()
    first, second = work.rows("1:a")
    assert first["mean"] == 0
    assert second["mean"] == 123457000
    assert first["p05"] == 0
    assert first["p40"] == 3.33333e-06
    assert first["p50"] == pytest.approx(1.23457, abs=0)


def test_without_a_lower_bound_negative_values_stay(work: Work) -> None:
    work.fill([answer("1:a", -100)])
    work.land(lower_bound=None)
    assert work.rows("1:a")[0]["mean"] == -100


def test_series_without_a_record_get_the_naive_rows_under_this_run(work: Work) -> None:
    work.fill([answer("1:a")], naive=["1:a", "1:new", "2:new"])
    landed = work.land()
    assert (landed.n_items, landed.n_fallback_items, landed.n_rows) == (3, 2, 6)
    assert landed.fallback_items == ("1:new", "2:new")
    assert "1:new, 2:new" in str(landed)
    rows = work.rows("1:new")
    assert [row["mean"] for row in rows] == [12.5, 12.5]
    assert {row["model_id"] for row in rows} == {"deepar"}
    assert work.rows("1:a")[0]["mean"] == 10
    listing = work.files.work / "fallback_items.csv"
    assert listing.read_text().split() == [
        "item_id,reason,largest_forecast,largest_plausible",
        "1:new,not_forecast,,",
        "2:new,not_forecast,,",
    ]


def test_a_sql_run_lands_the_rows_of_its_relation_unchanged(work: Work) -> None:
    work.naive(["1:a", "1:b"])
    landed = work.land(a_run("sql"))
    assert (landed.n_items, landed.n_fallback_items, landed.n_rows) == (2, 0, 4)
    assert [work.rows("1:b")[1][c] for c in COLUMNS] == list(range(7, 18))


def test_a_relation_with_missing_weeks_is_refused(work: Work) -> None:
    work.naive(["1:a"], weeks=1)
    with pytest.raises(RunError, match=r"not one row for each week of the horizon: 1 series"):
        work.land(a_run("sql"))
    assert work.lake.files("forecasts") == []


@pytest.mark.parametrize(
    ("value", "bound", "landed"),
    [("1.23456789", 0.0, 1.23457), ("-5.00000123", 0.0, 0.0), ("-5.00000123", None, -5.0)],
)
def test_rows_that_a_recipe_computed_are_rounded_and_bounded(
    work: Work, value: str, bound: float | None, landed: float
) -> None:
    land_computed(work, value, bound)
    [row] = work.rows("1:a")
    assert {row[column] for column in ("mean", *COLUMNS)} == {landed}


@pytest.mark.parametrize("value", ["'inf'", "'-inf'", "'nan'", "null"])
@pytest.mark.parametrize("bound", [0.0, None])
def test_computed_rows_that_are_not_finite_are_refused(
    work: Work, value: str, bound: float | None
) -> None:
    with pytest.raises(RunError, match="a number that is missing or not finite"):
        land_computed(work, value, bound)
    assert work.lake.files("forecasts") == []


def land_computed(
    work: Work, value: str, bound: float | None, total_bands: Path | None = None
) -> None:
    values = ", ".join(f"cast({value} as double) as {column}" for column in ("mean", *COLUMNS))
    rows = work.files.work / "rows.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select '1:a' as item_id, 1 as horizon_weeks, {values}) to '{rows}'"
        )
    run = a_run("sql").model_copy(update={"prediction_length": 1})
    land_run(
        work.lake,
        run,
        Forecasts(rows=rows, total_bands=total_bands),
        batch_id="b1",
        lower_bound=bound,
        facts=FACTS,
        fallback_list=work.files.fallback_items,
    )


def test_forecasts_are_rows_or_answers(work: Work) -> None:
    for wrong in ({}, {"rows": work.files.work, "answers": work.files.work}):
        with pytest.raises(ValueError, match="either rows or answers"):
            Forecasts(**wrong)
    with pytest.raises(ValueError, match="come with their items"):
        Forecasts(answers=work.files.work)


def test_landing_twice_changes_nothing(work: Work) -> None:
    work.fill([answer("1:a")], naive=["1:a", "1:new"])
    first = work.land()
    before = contents(work.lake)
    assert work.land() == first
    assert contents(work.lake) == before


def bands_of_the_chain(work: Work, width: float) -> Path:
    """Total bands of the run as the warehouse exports them."""
    offsets = ", ".join(
        f"{width if name > 'p50' else -width} as offset_{name}" for name in COLUMNS if name != "p50"
    )
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            copy (
                select 'b1-1-deepar' as run_id, 'deepar' as model_id, 'chain' as level,
                    ':' as item_id,
                    cast(date '{CUTOFF}' + cast(7 * h as integer) as date) as week_end_date,
                    cast(h as integer) as horizon_weeks, 0.5 as learned_share, {offsets}
                from range(1, 3) as r(h)
            ) to '{work.files.total_bands}' (format parquet)
            """
        )
    return work.files.total_bands


def test_bands_of_totals_land_once_and_before_their_run(work: Work) -> None:
    work.fill([answer("1:a")])
    work.land(total_bands=bands_of_the_chain(work, 0.1))
    rows = work.lake.read("total_bands").to_pylist()
    assert [(row["run_id"], row["level"], row["horizon_weeks"]) for row in rows] == [
        ("b1-1-deepar", "chain", 1),
        ("b1-1-deepar", "chain", 2),
    ]
    assert {(row["offset_p05"], row["offset_p95"], row["learned_share"]) for row in rows} == {
        (-0.1, 0.1, 0.5)
    }
    # Killed after the bands had landed, and made again from another build.
    for table in ("runs", "forecasts"):
        work.lake.files(table)[0].unlink()
    work.land(total_bands=bands_of_the_chain(work, 0.2))
    assert work.lake.read("total_bands").to_pylist() == rows
    (run,) = work.lake.read("runs").to_pylist()
    assert run["n_total_bands"] == len(rows)


def test_bands_of_totals_do_not_land_without_sound_forecasts(work: Work) -> None:
    with pytest.raises(RunError, match="not finite"):
        land_computed(work, "'nan'", None, bands_of_the_chain(work, 0.1))
    assert work.lake.files("total_bands") == []


def test_a_kill_between_the_two_files_is_made_whole(work: Work) -> None:
    work.fill([answer("1:a")], naive=["1:a", "1:new"])
    first = work.land()
    before = contents(work.lake)
    work.lake.files("runs")[0].unlink()
    work.files.forecasts.write_text("not read again")
    assert work.land() == first
    after = contents(work.lake)
    assert after["forecasts"] == before["forecasts"]
    assert len(after["runs"]) == 1


def spoil(path: Path, select: str) -> None:
    """Write a Parquet file again as a query of its own rows, named `rows`."""
    connection = duckdb.connect()
    connection.execute(f"create table rows as from read_parquet('{path}')")
    connection.execute(f"copy ({select}) to '{path}' (format parquet)")
    connection.close()


def refuse(work: Work, recipe: str, problem: str) -> None:
    """Land what is spoiled at series 1:b, and see that this problem alone is told."""
    with pytest.raises(RunError) as caught:
        work.land(a_run(recipe))
    assert caught.value.what.splitlines()[1:] == [f"  {problem}: 1 series (1:b)"]
    assert "Nothing was landed" in str(caught.value)
    nothing_landed(work)


def nothing_landed(work: Work) -> None:
    assert [path for path in work.lake.root.rglob("*") if path.is_file()] == []


# Rows of dbt's own reach both recipes: as the model, and as the fallback of what has no record.
RECIPES = pytest.mark.parametrize("recipe", ["sql", "deepar"])


def fill_from_naive(work: Work, recipe: str, select: str) -> None:
    if recipe == "deepar":
        work.fill([answer("1:a")], naive=["1:a", "1:b"])
    else:
        work.naive(["1:a", "1:b"])
    spoil(work.files.baseline, select)


@RECIPES
@pytest.mark.parametrize(
    ("column", "value"),
    [("mean", "'nan'"), ("p05", "'-inf'"), ("p50", "null"), ("p95", "'inf'")],
)
def test_a_number_that_is_missing_or_not_finite_is_refused(
    work: Work, recipe: str, column: str, value: str
) -> None:
    where = "item_id = '1:b' and horizon_weeks = 2"
    select = f"select * replace (if({where}, {value}::double, {column}) as {column}) from rows"
    fill_from_naive(work, recipe, select)
    problem = "a number that is missing or not finite"
    # Beside a null the quantiles are not in order either; their check may say so or not.
    with pytest.raises(RunError, match=rf"{problem}: 1 series \(1:b\)"):
        work.land(a_run(recipe))
    nothing_landed(work)


@RECIPES
@pytest.mark.parametrize(("lower", "upper"), [("p05", "p10"), ("p90", "p95")])
def test_quantiles_that_cross_are_refused(work: Work, recipe: str, lower: str, upper: str) -> None:
    select = f"""
        select * replace (if(item_id = '1:b', {upper} + 0.5, {lower}) as {lower}) from rows
    """
    fill_from_naive(work, recipe, select)
    refuse(work, recipe, "quantiles that cross")


@RECIPES
@pytest.mark.parametrize(
    "select",
    [
        "from rows where item_id = '1:a' or horizon_weeks = 1",
        "from rows where item_id = '1:a' or horizon_weeks = 2",
        "from rows union all from rows where item_id = '1:b' and horizon_weeks = 2",
        """
        from rows where item_id = '1:a' or horizon_weeks = 1
        union all from rows where item_id = '1:b' and horizon_weeks = 1
        """,
        """
        select * replace (horizon_weeks - (item_id = '1:b')::integer as horizon_weeks) from rows
        """,
        """
        select * replace (horizon_weeks + (item_id = '1:b')::integer as horizon_weeks) from rows
        """,
    ],
    ids=["last missing", "first missing", "one too many", "one twice", "from 0", "from 2"],
)
def test_weeks_that_are_not_the_horizons_are_refused(work: Work, recipe: str, select: str) -> None:
    fill_from_naive(work, recipe, select)
    refuse(work, recipe, "not one row for each week of the horizon")


@pytest.mark.parametrize(
    ("select", "problem"),
    [
        (
            """
            select * replace (if(item_id = '1:b', [mean[1], 'nan'::double], mean) as mean)
            from rows
            """,
            "a number that is missing or not finite",
        ),
        (
            "select * replace (if(item_id = '1:b', mean[1:1], mean) as mean) from rows",
            "a number that is missing or not finite",
        ),
        (
            """
            select * replace (if(item_id = '1:b', [mean[1], '-inf'::double], mean) as mean)
            from rows
            """,
            "a number that is missing or not finite",
        ),
        (
            "from rows union all from rows where item_id = '1:b'",
            "not one row for each week of the horizon",
        ),
    ],
    ids=["nan", "a week short", "below any bound", "a series twice"],
)
def test_forecasts_that_changed_after_their_check_are_refused(
    work: Work, select: str, problem: str
) -> None:
    work.fill([answer("1:a"), answer("1:b")])
    spoil(work.files.forecasts, select)
    refuse(work, "deepar", problem)


def contents(lake: Lake) -> dict[str, dict[str, bytes]]:
    return {
        table: {path.name: path.read_bytes() for path in lake.files(table)}
        for table in ("forecasts", "runs")
    }
