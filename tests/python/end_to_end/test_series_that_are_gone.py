"""A store under a new name, departments that ended, paused or wait for their season, in one home.

First the sales alone decide. Then the user says what they cannot tell, a department that had ended
sells again, and the next run goes by both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.home import Home, Rows
from support.sources import WEEK, weeks, write_csv

SALES = ("store", "department", "date", "sales")
CHANGES = ("store", "department", "renamed_from", "closed_on", "still_sold")
WEEKS = weeks(date(2021, 9, 4), 170)
NEWEST = WEEKS[-1]
RENAMED = 145
"""The first of the 25 weeks under the new name."""

KEPT = {"Park:steady", "Park:paused", "Park:winter", "Main Street:bread"}
ENDED = {"Main St:bread", "Park:old", "Park:zeros"}


def write_sources(folder: Path) -> None:
    """The chain sells 230 in each of its last weeks."""
    rows: list[tuple[Any, ...]] = []
    for n, week in enumerate(WEEKS):
        rows.append(("Main Street" if n >= RENAMED else "Main St", "bread", week, 130))
        rows.append(("Park", "steady", week, 100))
        if n < 120:
            rows.append(("Park", "old", week, 100))
        if not 60 <= n < 78 and n < 154:
            rows.append(("Park", "paused", week, 50))
        if week.month in (1, 2):
            rows.append(("Park", "winter", week, 40))
        rows.append(("Park", "zeros", week, 70 if n < 140 else 0))
    write_csv(folder / "sales.csv", SALES, rows)
    tables = {
        "sales": {"file": "sales*.csv", "columns": {name: name for name in SALES}},
        "series_changes": {"file": "changes*.csv", "columns": {name: name for name in CHANGES}},
    }
    mapping = {"grain": "weekly", "week_ends_on": "saturday", "tables": tables}
    (folder / "gone.yml").write_text(yaml.safe_dump(mapping))


@dataclass
class Life:
    """The home, and what its stages showed."""

    home: Home
    said: list[str] = field(default_factory=list)
    series: list[Rows] = field(default_factory=list)
    ended: list[Rows] = field(default_factory=list)
    chain: list[Rows] = field(default_factory=list)
    batches: list[Rows] = field(default_factory=list)
    refused: str = ""

    def run(self) -> None:
        self.said.append(self.home.command("run", "--model", "snaive_52"))
        for found, sql in (
            (
                self.series,
                "select item_id, treatment, ended_reason, weeks_silent, first_week_end_date"
                " from shop_marts.dim_series order by 1",
            ),
            (
                self.ended,
                "select item_id, weeks_silent, silence_limit_weeks, season_ago_sales,"
                " chain_season_ago_sales from shop_reports.rpt_ended_series order by 1",
            ),
            (
                self.chain,
                "select p50 from shop_reports.rpt_forecast_latest"
                " where level = 'chain' and is_forecast order by week_end_date",
            ),
            (
                self.batches,
                "select last_step, last_step_status, n_forecast_rows from shop_reports.rpt_batches"
                " order by started_at",
            ),
        ):
            found.append(self.home.marts(sql))


@pytest.fixture(scope="module")
def life(new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("gone_source")
    write_sources(folder)
    life = Life(new_home("gone"))

    def land(*names: str) -> None:
        for name in names:
            life.home.command("ingest", folder / name, "--mapping", folder / "gone.yml")

    land("sales.csv")
    life.run()

    write_csv(
        folder / "changes.csv",
        CHANGES,
        [
            ("Main Street", "", "Main St", "", ""),
            ("Park", "zeros", "", "", "yes"),
            ("", "steady", "", NEWEST + timedelta(days=10), ""),
            ("Park", "", "Park", "", ""),
        ],
    )
    week = NEWEST + WEEK
    write_csv(
        folder / "sales_2.csv",
        SALES,
        [("Main St", "bread", week, 130), ("Park", "steady", week, 100), ("Park", "old", week, 90)],
    )
    land("changes.csv", "sales_2.csv")
    life.run()

    later = [("Main St", "bread", NEWEST + n * WEEK, 130) for n in (2, 3)]
    write_csv(folder / "sales_3.csv", SALES, later)
    land("sales_3.csv")
    life.home.command("build")

    write_csv(folder / "changes_2.csv", CHANGES, [("High Street", "", "Main Street", "", "")])
    land("changes_2.csv")
    life.refused = life.home.command("build", code=1)
    return life


def treatments(rows: Rows) -> dict[str, str]:
    return {row[0]: row[1] for row in rows}


def test_what_is_silent_beyond_its_rhythm_has_ended_and_the_rest_is_kept(life: Life) -> None:
    found = treatments(life.series[0])
    assert {item for item, treatment in found.items() if treatment == "ended"} == ENDED
    assert {item for item, treatment in found.items() if treatment == "trained"} == KEPT
    reasons = {row[0]: row[2] for row in life.series[0] if row[2]}
    assert reasons == dict.fromkeys(ENDED, "silent_for_its_rhythm")
    silent = {row[0]: row[3] for row in life.series[0]}
    assert (silent["Main St:bread"], silent["Park:old"], silent["Park:zeros"]) == (25, 50, 30)
    assert silent["Park:paused"] == 16


def test_the_chain_is_forecast_at_what_it_sells(life: Life) -> None:
    # Beside 230 a week: the paused department, and winter goods in the weeks of last year.
    horizon = [NEWEST + n * WEEK for n in range(1, 14)]
    assert [p50 for (p50,) in life.chain[0]] == [
        230 + 50 + (40 if week - 52 * WEEK in winter_weeks_a_year_ago() else 0) for week in horizon
    ]


def test_who_has_ended_is_told(life: Life) -> None:
    assert "7 series, 91 rows; 3 ended, forecast as 0" in life.said[0]
    assert "assert_newly_ended_series_sold_little" in life.said[0]
    rows = {row[0]: row[1:4] for row in life.ended[0]}
    assert rows == {
        "Main St:bread": (25, 13, 13 * 130.0),
        "Park:old": (50, 13, 2 * 100.0),
        "Park:zeros": (30, 13, 13 * 70.0),
    }
    assert {row[4] for row in life.ended[0]} == {
        sum(row[3] for row in life.ended[0]) + 13 * (100 + 50) + 40 * len(winter_weeks_a_year_ago())
    }


def winter_weeks_a_year_ago() -> list[date]:
    begin = NEWEST - 52 * WEEK
    return [w for w in WEEKS if begin < w <= begin + 13 * WEEK and w.month in (1, 2)]


def test_a_new_name_joins_the_history_of_old_and_later_deliveries(life: Life) -> None:
    series = {row[0]: row for row in life.series[1]}
    assert "Main St:bread" not in series
    assert series["Main Street:bread"][4] == WEEKS[0]
    rows = life.home.marts(
        "select count(*), count(sales), min(sales), max(week_end_date)"
        " from shop_marts.fct_weekly_sales where item_id = 'Main Street:bread'"
    )
    assert rows == [(173, 173, 130.0, NEWEST + 3 * WEEK)]


def test_the_user_overrules_and_a_day_to_come_does_not_count_yet(life: Life) -> None:
    found = treatments(life.series[1])
    assert found["Park:zeros"] == "trained"
    assert found["Park:steady"] == "trained"


def test_the_weeks_after_it_closes_are_forecast_as_zeros(life: Life) -> None:
    assert "1 closed for a time, 12 weeks as 0" in life.said[1]
    rows = life.home.marts(
        "select horizon_weeks, p05, p50, mean, p95 from shop_marts.fct_forecast"
        " where item_id = 'Park:steady' and cutoff_date = ? order by 1",
        [NEWEST + WEEK],
    )
    # It closes on the Tuesday of the first of them.
    assert rows[0][2] == 100.0
    assert rows[1:] == [(n, 0.0, 0.0, 0.0, 0.0) for n in range(2, 14)]


def test_what_it_sells_after_it_closed_is_zero_and_stands_in_the_accuracy(life: Life) -> None:
    weeks_after = (
        "select sales, is_closed_week, is_part_week from shop_marts.fct_weekly_sales"
        " where item_id = 'Park:steady' and week_end_date > ? order by week_end_date"
    )
    # All of Park reports no more; in the week in which the department closes nobody knows why.
    assert life.home.marts(weeks_after, [NEWEST + WEEK]) == [
        (None, False, True),
        (0.0, True, False),
    ]
    compared = (
        "select cutoff_date, p50, actual, abs_error from shop_marts.fct_forecast_vs_actual"
        " where item_id = 'Park:steady' and week_end_date = ? order by 1"
    )
    # The run before anybody knew missed by all of it.
    assert life.home.marts(compared, [NEWEST + 3 * WEEK]) == [
        (NEWEST, 100.0, 0.0, 100.0),
        (NEWEST + WEEK, 0.0, 0.0, 0.0),
    ]
    told = life.home.marts(
        "select sum(n_rows), sum(sum_abs_error) from shop_reports.rpt_forecast_accuracy"
        " where level = 'store-department'"
    )
    found = life.home.marts(
        "select count(actual), sum(abs_error) from shop_marts.fct_forecast_vs_actual"
    )
    assert told == found


def test_an_ended_series_that_sells_again_is_live_and_was_an_error(life: Life) -> None:
    assert treatments(life.series[1])["Park:old"] == "trained"
    rows = life.home.marts(
        "select p50, actual, abs_error from shop_marts.fct_forecast_vs_actual"
        " where item_id = 'Park:old' and actual is not null"
    )
    assert rows == [(0.0, 90.0, 90.0)]


def test_a_batch_is_published_with_all_steps_before_its_publishing(life: Life) -> None:
    first, second = life.batches
    assert first == [("build marts", "done", 91)]
    assert [row[:2] for row in second] == [("publish", "done"), ("build marts", "done")]


def test_changes_that_say_nothing_are_set_aside_with_a_reason(life: Life) -> None:
    rows = life.home.marts(
        "select reason, n_rows, example_value from shop_reports.rpt_rejected_rows"
        " where table_name = 'raw_series_changes'"
    )
    assert rows == [("renamed_onto_itself", 1, "Park |  | Park")]


def test_a_chain_of_new_names_is_refused_with_what_to_write(life: Life) -> None:
    assert "assert_renames_do_not_chain" in life.refused
    assert "C renamed_from A, and C renamed_from B" in " ".join(life.refused.split())
