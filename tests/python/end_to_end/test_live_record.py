"""What was said before anybody knew, through corrections, reruns, backtests and withdrawals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
import yaml

from support.home import Home, Rows
from support.sources import weeks, write_csv

pytestmark = pytest.mark.dbt

COLUMNS = ("store", "department", "date", "sales")
WEEKS = weeks(date(2022, 1, 8), 114)
FIRST, SECOND, THIRD, FOURTH = WEEKS[-4:]

RECORD = (
    "select * from shop_marts.fct_forecast where kind = 'live' and is_current"
    " order by cutoff_date, item_id, week_end_date"
)
CHART = (
    "select distinct run_id, cutoff_date, max(horizon_weeks) over (), sum(p50) over ()"
    " from shop_reports.rpt_forecast_latest where level = 'chain' and is_forecast"
)


@dataclass
class Life:
    home: Home
    source: Path
    runs: dict[str, str] = field(default_factory=dict)
    record: dict[str, Rows] = field(default_factory=dict)
    totals: dict[str, Rows] = field(default_factory=dict)
    chart: dict[str, Rows] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def land(self, name: str, first: date, last: date, factor: float = 1.0) -> None:
        rows = [
            (store, "bread", week, factor * (100 + 10 * (n % 52)))
            for n, week in enumerate(WEEKS)
            if first <= week <= last
            for store in ("North", "South")
        ]
        write_csv(self.source / f"{name}.csv", COLUMNS, rows)
        self.home.command(
            "ingest", self.source / f"{name}.csv", "--mapping", self.source / "live.yml", "--yes"
        )

    def do(self, name: str, *command: str) -> None:
        """One command that ends with a build, and what the marts say then."""
        self.said[name] = self.home.command(*command)
        if command[0] == "run":
            *_, newest = self.home.batch.runs
            self.runs[name] = newest.run_id
        self.record[name] = self.home.marts(RECORD)
        self.totals[name] = self.home.marts(
            "select * from shop_marts.fct_forecast_aggregate where kind = 'live' and is_current"
            " order by cutoff_date, level, item_id, week_end_date"
        )
        self.chart[name] = self.home.marts(CHART)


@pytest.fixture(scope="module")
def life(new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory) -> Life:
    source = tmp_path_factory.mktemp("live_source")
    table = {"file": "*.csv", "columns": {name: name for name in COLUMNS}}
    mapping = {"grain": "weekly", "week_ends_on": "saturday", "tables": {"sales": table}}
    (source / "live.yml").write_text(yaml.safe_dump(mapping))
    life = Life(new_home("live"), source)
    run = ("run", "--model", "snaive_52", "--horizon", "8")

    life.land("first", WEEKS[0], FIRST)
    life.do("first", *run)
    life.land("second", SECOND, SECOND)
    life.do("second", *run)
    life.land("third", THIRD, THIRD, factor=3)
    life.do("third", *run)

    life.land("third_corrected", THIRD, THIRD)
    life.do("short", *run[:-1], "2")
    life.do("late", *run, "--cutoff", FIRST.isoformat(), "--backtests", "1")

    life.land("wrong", FOURTH, FOURTH, factor=50)
    loads = dict(life.home.landed("raw_loads", "source_file, load_id"))
    life.do("wrong", *run)
    life.said["retracted"] = life.home.command(
        *("ingest", "--retract", loads["wrong.csv"], "--reason", "another chain's file")
    )
    life.do("rerun", *run)
    life.home.command("withdraw", life.runs["wrong"], "--reason", "made from the wrong file")
    life.do("withdrawn", "build")
    return life


def test_the_live_record_never_changes(life: Life) -> None:
    """Nor do its totals, though loads come and go."""
    known = life.record["third"]
    assert {row[4] for row in known} == {FIRST, SECOND, THIRD}
    assert {row[0] for row in known} == {life.runs[name] for name in ("first", "second", "third")}
    for name in ("short", "late", "withdrawn"):
        assert life.record[name] == known, name
        assert life.totals[name] == life.totals["third"], name
    for name in ("wrong", "rerun"):
        assert [row for row in life.record[name] if row[4] < FOURTH] == known, name


def test_the_kind_is_a_fact(life: Life) -> None:
    kinds = dict(
        life.home.marts("select run_id, kind || ' ' || is_current from shop_marts.dim_forecast_run")
    )
    assert {name: kinds[run] for name, run in life.runs.items()} == {
        "first": "live true",
        "second": "live true",
        "third": "live true",
        "short": "live false",
        "late": "hindsight true",
        "wrong": "live false",
        "rerun": "live false",
    }
    backtests = [kind for run, kind in kinds.items() if run not in life.runs.values()]
    assert backtests == ["backtest true"]


def test_the_chart_shows_the_newest_whole_run_that_stands(life: Life) -> None:
    def shown(name: str) -> tuple[object, ...]:
        ((run_id, cutoff, n_weeks, _),) = life.chart[name]
        return run_id, cutoff, n_weeks

    assert shown("third") == (life.runs["third"], THIRD, 8)
    for name in ("short", "late"):
        assert shown(name) == (life.runs["third"], THIRD, 8), name
    for name in ("wrong", "rerun"):
        assert shown(name) == (life.runs["wrong"], FOURTH, 8), name
    assert shown("withdrawn") == (life.runs["rerun"], THIRD, 8)


def test_a_run_of_a_retracted_load_is_told(life: Life) -> None:
    assert "assert_shown_run_stands_on_loads_that_count" in life.said["rerun"]
    assert "assert_shown_run_stands_on_loads_that_count" not in life.said["withdrawn"]
    found = life.home.marts(
        "select run_id, n_loads_retracted_since, withdrawal_reason from shop_marts.dim_forecast_run"
        " where n_loads_retracted_since > 0"
    )
    assert found == [(life.runs["wrong"], 1, "made from the wrong file")]


def test_what_stays_is_told_with_how_to_take_it_back(life: Life) -> None:
    retracted = " ".join(life.said["retracted"].split())
    assert f"while it counted stay in charts and accuracy: {life.runs['wrong']}. " in retracted
    for name in ("short", "rerun"):
        said = " ".join(life.said[name].split())
        assert f"The record of snaive_52 at {THIRD} stays {life.runs['third']}" in said
        assert f"salescast withdraw {life.runs['third']} --reason" in said
    for name in ("first", "third", "late", "wrong"):
        assert "The record of" not in life.said[name], name


def test_rows_know_their_series(life: Life) -> None:
    found = life.home.marts(
        "select distinct store_id, department_id, treatment from shop_marts.fct_forecast order by 1"
    )
    assert found == [("North", "bread", "trained"), ("South", "bread", "trained")]


def test_accuracy_is_by_kind_and_without_what_was_withdrawn(life: Life) -> None:
    found = life.home.marts(
        "select distinct kind, cutoff_date from shop_reports.rpt_forecast_accuracy"
        " where level = 'chain' order by 1, 2"
    )
    assert found == [
        ("backtest", WEEKS[-12]),
        ("hindsight", FIRST),
        ("live", FIRST),
        ("live", SECOND),
    ]


def test_what_cannot_be_withdrawn(life: Life) -> None:
    wrong = life.runs["wrong"]
    assert "is withdrawn already" in life.home.command("withdraw", wrong, "--reason", "x", code=2)
    unknown = life.home.command("withdraw", "nothing", "--reason", "x", code=2)
    assert "has not landed" in unknown and life.runs["first"] in unknown
    assert "needs its reason" in life.home.command("withdraw", wrong, "--reason", " ", code=2)


def test_a_build_reads_only_the_runs_that_are_due(life: Life) -> None:
    """Of the last one, the run that was withdrawn: all others are named by no statement."""
    compiled = life.home.path / "dbt" / "target" / "compiled" / "salescast" / "models"
    for model in ("fct_forecast", "fct_forecast_aggregate"):
        sql = (compiled / "marts" / "forecast" / f"{model}.sql").read_text(encoding="utf-8")
        assert f"where run_id in ('{life.runs['wrong']}')" in sql, model


def test_the_marts_are_those_of_a_full_refresh(life: Life) -> None:
    """Builds that read only what was due have left nothing out and nothing behind."""
    facts = [
        "fct_forecast",
        "fct_forecast_aggregate",
        "fct_forecast_vs_actual",
        "fct_forecast_vs_actual_aggregate",
        "fct_run_accuracy",
        "fct_run_error_bin",
    ]

    def held() -> dict[str, set[tuple[object, ...]]]:
        return {
            fact: {
                tuple(round(value, 9) if isinstance(value, float) else value for value in row)
                for row in life.home.warehouse(f"select * from shop_marts.{fact}")
            }
            for fact in facts
        }

    incremental = held()
    life.home.command("build", "--full-refresh")
    for fact, rows in held().items():
        assert rows, fact
        assert incremental[fact] == rows, fact
