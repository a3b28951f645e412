"""Weekly sales with everything wrong that a file can hold, through two runs and two corrections.

One home is taken through its life: land, forecast a year, forecast a week in a command that is
killed twice, restate the past, land a wrong file, retract it, rebuild from nothing. What each stage
left behind is kept in `Life`, and the tests look at it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest

from salescast.container.checks import check_inference_file, check_training_file
from salescast.container.records import read_records
from support.home import HELD, Home, Rows, wait_until
from support.sources import WEEK, amount, weeks, write_csv, write_mapping

HEADER = ("store", "department", "date", "sales")
FIRST = date(2019, 1, 3)  # A Thursday: rows carry the first day of weeks that end on Wednesday.
LABELS = weeks(FIRST, 180)
NEWEST = LABELS[-1] + timedelta(days=6)

REGULAR = {
    ("001", "d1"): "001:d1",
    ("1", "d1"): "1:d1",
    ("a b", "d 1"): "a b:d 1",
    (" pad ", "d1"): "pad:d1",
    ('q"uo', "it's"): "q\"uo:it's",
    ("c:d%", "50%:x"): "c%3Ad%25:50%25%3Ax",
}
OLD, ZERO, NEGATIVE, ONCE, NEW = "old:d1", "zero:d1", "neg:d1", "1:once", "1:new"

DEFECTS = [
    ("001", "d1", LABELS[9], "abc", "sales_invalid"),
    ("001", "d1", "2012-13-45", "5", "date_invalid"),
    ("001", "d1", "2021-02-29", "5", "date_invalid"),
    ("001", "d1", "", "5", "date_missing"),
    ("001", "d1", LABELS[5], "nan", "sales_missing"),
    ("001", "d1", LABELS[6], "NA", "sales_missing"),
    ("001", "d1", LABELS[7], "1_000", "sales_invalid"),
    ("001", "d1", LABELS[9], "inf", "sales_invalid"),
    ("001", "d1", LABELS[9], "1e15", "sales_out_of_range"),
    ("001", "d1", LABELS[9], "77", "duplicate_key"),
    ("001", "d1", LABELS[9] + timedelta(days=1), "5", "date_is_no_week_label"),
    ("001", "d1", "2150-01-01", "5", "date_out_of_range"),
    ("ghost", "d1", LABELS[9], "5", "store_unknown"),
    ("", "d1", LABELS[9], "5", "store_missing"),
    ("001", "", LABELS[9], "5", "department_missing"),
]
UNOBSERVED = [LABELS[n] + timedelta(days=6) for n in (5, 6, 7)]

NEW_WEEKS = [LABELS[-1] + WEEK * n for n in (1, 2, 3)]
WRONG_WEEK = NEW_WEEKS[-1] + WEEK

FACTS = {
    "fct_weekly_sales": "item_id, week_end_date",
    "fct_forecast": "run_id, item_id, week_end_date",
    "fct_forecast_vs_actual": "run_id, item_id, week_end_date",
    "fct_forecast_aggregate": "run_id, level, item_id, week_end_date",
    "fct_forecast_vs_actual_aggregate": "run_id, level, item_id, week_end_date",
    "dim_series": "item_id",
    "dim_store": "store_id",
    "dim_department": "department_id",
    "dim_week": "week_end_date",
    "dim_forecast_run": "run_id",
}
REPORTS = {
    "rpt_forecast_latest": "level, item_id, week_end_date, is_forecast",
    "rpt_shown_run": "run_id",
    "rpt_forecast_accuracy": "kind, model_id, cutoff_date, level, horizon_band",
    "rpt_error_histogram": "kind, model_id, cutoff_date, error_bin",
    "rpt_rejected_rows": "table_name, reason",
    "rpt_ended_series": "item_id",
    "rpt_batches": "batch_id",
}


def tables(home: Home) -> dict[str, Rows]:
    """Everything that readers see, floating numbers to twelve digits: sums may be added up anew."""
    found = {}
    for schema, names in (("shop_marts", FACTS), ("shop_reports", REPORTS)):
        for name, key in names.items():
            rows = home.marts(f"select * from {schema}.{name} order by {key}")
            found[name] = [
                tuple(float(f"{v:.12g}") if isinstance(v, float) else v for v in row)
                for row in rows
            ]
    return found


@dataclass
class Life:
    """The home at its end, and what its stages showed."""

    home: Home
    year_runs: tuple[str, ...] = ()
    week_runs: tuple[str, ...] = ()
    year_forecast: Rows = field(default_factory=list)
    second_command: str = ""
    holder: int = 0
    finished_at_kills: list[list[str]] = field(default_factory=list)
    resumed_again: str = ""
    loads: dict[str, str] = field(default_factory=dict)
    judged: Rows = field(default_factory=list)
    seen: dict[str, dict[str, Rows]] = field(default_factory=dict)


def land_first(home: Home, folder: Path) -> None:
    rows = [
        (store, department, label, amount(100 * (n + 1), week))
        for n, (store, department) in enumerate(REGULAR)
        for week, label in enumerate(LABELS)
        if not ((store, department) == ("001", "d1") and week in (5, 6, 7))
    ]
    rows += [("old", "d1", label, amount(50, week)) for week, label in enumerate(LABELS[:10])]
    rows += [("zero", "d1", label, "0") for label in LABELS]
    rows += [
        ("neg", "d1", label, f"-{amount(20, week)}" if week % 2 else amount(30, week))
        for week, label in enumerate(LABELS)
    ]
    rows += [("1", "once", LABELS[100], "12.5"), ("1", "new", LABELS[-1], "42")]
    write_csv(folder / "sales.csv", HEADER, rows + [defect[:4] for defect in DEFECTS])
    stores = dict.fromkeys([*(store for store, _ in REGULAR), "old", "zero", "neg"])
    write_csv(folder / "stores.csv", ["store"], [[store] for store in stores])
    home.command("ingest", folder, "--mapping", folder / "untidy.yml")


def land_again(home: Home, folder: Path) -> None:
    """Restate two past weeks and bring three new ones; then a file that is wrong."""
    restated = [("001", "d1", LABELS[n], "1000") for n in (150, 179)]
    rows = [
        (store, department, label, amount(100 * (n + 1), 180 + week))
        for n, (store, department) in enumerate(REGULAR)
        for week, label in enumerate(NEW_WEEKS)
    ]
    write_csv(folder / "sales_2.csv", HEADER, restated + rows)
    home.command("ingest", folder, "--mapping", folder / "untidy.yml", "--yes")
    wrong = [("001", "d1", NEW_WEEKS[0], "99999"), ("1", "d1", WRONG_WEEK, "99999")]
    write_csv(folder / "sales_3.csv", HEADER, wrong)
    home.command("ingest", folder, "--mapping", folder / "untidy.yml", "--yes")


def run_killed_and_resumed(life: Life) -> None:
    """Forecast one week; killed in the first build without its child, and in the second with it."""
    home = life.home
    process = home.start("run", "--model", "snaive_52", "--horizon", "1")
    log = home.path / "dbt" / "logs" / "last_build.jsonl"
    wait_until(
        process,
        lambda: (
            home.batch.prediction_length == 1
            and home.finished() == ["request"]
            and "int_sales__weekly" in log.read_text()
        ),
    )
    life.holder = process.pid
    life.second_command = home.command("run", "--model", "snaive_52", code=1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    life.finished_at_kills.append(home.finished())

    process = resume(home)
    home.kill_when(
        process,
        lambda: "snaive_52/load" in home.finished() and "fct_forecast" in log.read_text(),
    )
    life.finished_at_kills.append(home.finished())
    home.command("run", "--resume")
    life.resumed_again = home.command("run", "--resume")


def resume(home: Home) -> subprocess.Popen[bytes]:
    """Resume as soon as the child that a killed command left behind has let go of the lock."""
    log = home.path.parent / f"{home.path.name}.log"
    for _ in range(60):
        begins = log.stat().st_size
        n_finished = len(home.finished())
        process = home.start("run", "--resume")
        while process.poll() is None and len(home.finished()) == n_finished:
            time.sleep(0.02)
        if process.poll() is None:
            return process
        with log.open("rb") as file:
            file.seek(begins)
            said = file.read().decode()
        assert process.returncode == 1, said
        assert HELD in said, said
        time.sleep(0.5)
    raise AssertionError("the lock was never free")


@pytest.fixture(scope="module")
def life(new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory) -> Life:
    home = new_home("untidy")
    folder = tmp_path_factory.mktemp("untidy_source")
    write_mapping(
        folder / "untidy.yml", grain="weekly", week_label="start", week_ends_on="wednesday"
    )
    life = Life(home)
    land_first(home, folder)
    home.command("run", "--model", "snaive_52", "--horizon", "52")
    life.year_runs = tuple(run.run_id for run in home.batch.runs)
    life.year_forecast = home.marts("select * from shop_marts.fct_forecast order by all")
    life.seen["year"] = tables(home)

    run_killed_and_resumed(life)
    life.week_runs = tuple(run.run_id for run in home.batch.runs)
    life.seen["week"] = tables(home)

    land_again(home, folder)
    life.loads = dict(home.landed("raw_loads", "source_file, load_id"))
    home.command("build")
    life.seen["wrong"] = tables(home)
    home.command("ingest", "--retract", life.loads["sales_3.csv"], "--reason", "wrong file")
    home.command("build")
    life.seen["retracted"] = tables(home)
    life.judged = home.warehouse(
        """
        select load_id, row_status, count(*) from (
            select load_id, row_status from shop_staging.stg_retail__sales_judged
            union all select load_id, row_status from shop_staging.stg_retail__stores_judged
        ) group by all
        """
    )
    home.command("build")
    life.seen["again"] = tables(home)
    home.command("build", "--full-refresh")
    life.seen["refreshed"] = tables(home)
    return life


# What becomes of the rows


def test_every_defect_is_rejected_with_its_reason_and_nothing_else_is(life: Life) -> None:
    expected: dict[str, int] = {}
    for defect in DEFECTS:
        expected[str(defect[4])] = expected.get(str(defect[4]), 0) + 1
    found = life.home.marts(
        "select reason, n_rows, example_source_file, example_value"
        " from shop_reports.rpt_rejected_rows where table_name = 'raw_sales'"
    )
    assert {reason: n_rows for reason, n_rows, _, _ in found} == expected
    assert {file for _, _, file, _ in found} == {"sales.csv"}
    assert "001 | d1 | 2012-13-45 | 5" in {value for _, _, _, value in found}


def test_every_landed_row_is_accounted_for_in_its_load(life: Life) -> None:
    counts: dict[str, dict[str, int]] = {}
    for load_id, status, n_rows in life.judged:
        counts.setdefault(load_id, {})[status] = n_rows
    landed: dict[str, int] = dict(life.home.landed("raw_loads", "load_id, n_rows"))
    assert {load_id: sum(found.values()) for load_id, found in counts.items()} == landed
    assert len(landed) == 4
    by_file = {name: counts[load_id] for name, load_id in life.loads.items()}
    assert by_file["sales.csv"]["rejected"] == len(DEFECTS)
    assert by_file["sales.csv"]["superseded"] == 2
    assert by_file["sales_2.csv"] == {"accepted": 2 + 3 * len(REGULAR)}
    assert by_file["sales_3.csv"] == {"retracted": 2}


def test_rejected_rows_leave_gaps_and_never_numbers(life: Life) -> None:
    rows = life.home.marts(
        "select week_end_date, sales, is_observed from shop_marts.fct_weekly_sales"
        " where item_id = '001:d1' and not is_observed order by 1"
    )
    assert rows == [(week, None, False) for week in UNOBSERVED]
    first_of_key = life.home.marts(
        "select sales from shop_marts.fct_weekly_sales where item_id = '001:d1'"
        " and week_end_date = ?",
        [LABELS[9] + timedelta(days=6)],
    )
    assert first_of_key == [(float(amount(100, 9)),)]


def test_week_starts_become_weeks_that_end_on_wednesday(life: Life) -> None:
    rows = life.home.marts(
        "select min(week_end_date), max(week_end_date), count(distinct week_end_date),"
        " list(distinct dayname(week_end_date)) from shop_marts.fct_weekly_sales"
    )
    newest = NEW_WEEKS[-1] + timedelta(days=6)
    assert rows == [(FIRST + timedelta(days=6), newest, 183, ["Wednesday"])]
    assert life.seen["year"]["dim_forecast_run"][0][5] == NEWEST


# What becomes of the series


def test_unusual_codes_stay_what_they_are(life: Life) -> None:
    found = life.home.marts("select item_id, store_id, department_id from shop_marts.dim_series")
    keys = {item_id: (store, department) for item_id, store, department in found}
    for (store, department), item_id in REGULAR.items():
        assert keys[item_id] == (store.strip(), department)
    stores = {store for (store,) in life.home.marts("select store_id from shop_marts.dim_store")}
    assert {"001", "1", "a b", "pad", 'q"uo', "c:d%"} <= stores
    levels = life.home.marts(
        "select distinct level, item_id from shop_reports.rpt_forecast_latest"
        " where store_id = 'c:d%' or department_id = '50%:x'"
    )
    assert set(levels) == {
        ("store-department", "c%3Ad%25:50%25%3Ax"),
        ("store", "c%3Ad%25:"),
        ("department", ":50%25%3Ax"),
    }


def test_each_series_is_treated_as_it_deserves(life: Life) -> None:
    series = {row[0]: row[6] for row in life.seen["year"]["dim_series"]}
    trained = dict.fromkeys([*REGULAR.values(), NEGATIVE], "trained")
    gone = {OLD: "ended", ONCE: "ended"}
    assert series == {**trained, **gone, ZERO: "fallback", NEW: "fallback"}
    at_one_week = {row[0]: row[6] for row in life.seen["week"]["dim_series"]}
    assert at_one_week == {**trained, **gone, NEW: "trained", ZERO: "fallback"}


@pytest.mark.parametrize(("horizon", "stage"), [(52, "year"), (1, "week")])
def test_all_but_series_gone_for_years_get_every_week_of_the_horizon(
    life: Life, horizon: int, stage: str
) -> None:
    (run_id,) = life.year_runs if stage == "year" else life.week_runs
    rows = [row for row in life.seen[stage]["fct_forecast"] if row[0] == run_id]
    found: dict[str, list[date]] = {}
    for row in rows:
        found.setdefault(row[1], []).append(row[2])
    assert set(found) == {*REGULAR.values(), NEGATIVE, ONCE, ZERO, NEW}
    for dates in found.values():
        assert dates == [NEWEST + WEEK * h for h in range(1, horizon + 1)]


def test_zeros_stay_zeros_and_forecasts_are_never_negative(life: Life) -> None:
    numbers = {row[1]: row[6:18] for row in life.year_forecast}
    assert set(numbers[ZERO]) == set(numbers[ONCE]) == {0.0}
    assert min(min(row[6:18]) for row in life.year_forecast) == 0.0
    actuals = life.home.marts(
        "select min(sales) from shop_marts.fct_weekly_sales where item_id = ?", [NEGATIVE]
    )
    assert actuals[0][0] < 0
    assert set(numbers[NEW]) != {0.0}


def test_deepars_files_hold_these_series_to_the_letter(life: Life, tmp_path: Path) -> None:
    warehouse = life.home.open_warehouse()
    (cutoff,) = [each.cutoff_date for each in warehouse.cutoffs()]
    training, inference = tmp_path / "train.json.gz", tmp_path / "inference.json"
    warehouse.export_training(cutoff, training)
    warehouse.export_inference(cutoff, inference, warehouse.export_encoding(cutoff, tmp_path))
    summary = check_training_file(training, prediction_length=1)
    assert summary.weekday == date(2019, 1, 9).weekday()
    check_inference_file(
        inference, 1, cardinality=summary.cardinality, num_dynamic_feat=summary.num_dynamic_feat
    )
    names = {str(record.extra["item_id"]) for record in read_records([inference])}
    assert names == {*REGULAR.values(), NEGATIVE, NEW}


# A killed command, a second command


def test_a_second_command_is_refused_and_told_who_is_at_work(life: Life) -> None:
    assert HELD in life.second_command
    assert f"process {life.holder} " in life.second_command
    assert "salescast run" in life.second_command


def test_a_killed_batch_goes_on_where_it_stopped(life: Life) -> None:
    assert life.finished_at_kills[0] == ["request"]
    assert life.finished_at_kills[1][-1] == "snaive_52/load"
    done = [(a.run_id, a.step) for a in life.home.batch.attempts if a.status == "done"]
    assert len(done) == len(set(done))
    steps = ["request", "build", "resolve", "export", "load", "build marts", "publish"]
    assert [step for _, step in done] == steps
    assert life.home.batch.status == "done"
    assert "there is nothing to resume" in life.resumed_again


def test_after_the_kills_each_forecast_row_is_there_once(life: Life) -> None:
    rows = life.home.marts(
        "select run_id, count(*), count(distinct (item_id, week_end_date))"
        " from shop_marts.fct_forecast group by 1 order by 1"
    )
    assert rows == [(*life.year_runs, 10 * 52, 10 * 52), (*life.week_runs, 10, 10)]
    landed = life.home.landed("forecasts", "run_id, item_id, week_end_date")
    assert len(landed) == len(set(landed)) == 10 * 53


# A second batch, restated sales, a retraction


def test_a_second_batch_of_a_week_is_a_rerun_beside_the_record(life: Life) -> None:
    runs = {row[0]: row for row in life.seen["week"]["dim_forecast_run"]}
    current = {
        run_id: is_current
        for run_id, is_current in life.home.marts(
            "select run_id, is_current from shop_marts.dim_forecast_run"
        )
    }
    assert set(runs) == {*life.year_runs, *life.week_runs}
    assert current == {life.year_runs[0]: True, life.week_runs[0]: False}
    assert life.seen["year"]["dim_forecast_run"][0][17] is True


def test_a_forecast_once_made_never_changes(life: Life) -> None:
    rows = life.home.marts(
        "select * from shop_marts.fct_forecast where run_id = ? order by all", life.year_runs
    )
    assert rows == life.year_forecast


def test_facts_follow_the_newest_load_and_a_retraction(life: Life) -> None:
    def actual(stage: str, item_id: str, label: date) -> float | None:
        rows = life.seen[stage]["fct_weekly_sales"]
        week = label + timedelta(days=6)
        found = [row[4] for row in rows if row[:2] == (item_id, week)]
        return found[0] if found else None

    assert actual("week", "001:d1", LABELS[150]) == float(amount(100, 150))
    assert actual("wrong", "001:d1", LABELS[150]) == 1000
    assert actual("wrong", "001:d1", NEW_WEEKS[0]) == 99999
    assert actual("wrong", "1:d1", WRONG_WEEK) == 99999
    assert actual("retracted", "001:d1", LABELS[150]) == 1000
    assert actual("retracted", "001:d1", NEW_WEEKS[0]) == float(amount(100, 180))
    assert actual("retracted", "1:d1", WRONG_WEEK) is None


def test_comparisons_follow_restated_sales(life: Life) -> None:
    def compared(stage: str) -> set[tuple[str, date]]:
        return {(row[1], row[2]) for row in life.seen[stage]["fct_forecast_vs_actual"]}

    assert compared("week") == set()
    new_weeks = {label + timedelta(days=6) for label in NEW_WEEKS}
    assert {week for _, week in compared("retracted")} == new_weeks
    assert {week for _, week in compared("wrong")} == {*new_weeks, WRONG_WEEK + timedelta(days=6)}


@pytest.mark.parametrize("name", [*FACTS, *REPORTS])
def test_a_build_again_and_a_build_from_nothing_change_nothing(life: Life, name: str) -> None:
    assert life.seen["again"][name] == life.seen["retracted"][name]
    assert life.seen["refreshed"][name] == life.seen["retracted"][name]
    assert life.seen["refreshed"][name]
