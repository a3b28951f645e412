"""Weeks that a store or a series has reported only in part: gaps, told, and never an actual."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from support.home import Home, Rows
from support.sources import write_csv, write_mapping

HEADER = ("store", "department", "date", "sales")
FIRST_DAY = date(2023, 1, 1)
N_WEEKS = 70
NEWEST = N_WEEKS - 1
FEASTS = {date(2023, 12, 25), date(2023, 12, 26), date(2024, 1, 1)}
SOUND = [f"sound {number}" for number in range(6)]


def is_open(store: str, week: int, day: int) -> bool:
    """Whether a store has rows of a day; weeks run from Sunday (0) to Saturday (6)."""
    n = 7 * week + day
    rules = {
        "late": n <= 7 * NEWEST + 2,
        "later": n <= 7 * NEWEST + 5,
        "absent": week <= NEWEST - 3,
        "rests on Sunday": day != 0,
        "five days": 1 <= day <= 5,
        "changes its rest": day != (0 if week < 40 else 1),
        "no more Sundays": week < 60 or day != 0,
        "opened": n >= 7 * 20 + 3,
        "renovated": not 7 * 30 + 3 <= n <= 7 * 34 + 2,
        "broken": week not in (51, 60) or day not in (3, 4, 5),
        "snowed in": week != 55 or day not in (1, 2),
        "seasonal": 13 <= week <= 39 or week >= 65,
        "rare": n % 31 == 5,
        "careless": n % 17 != 5,
    }
    return rules.get(store, True)


STORES = [
    *SOUND,
    *("late", "later", "absent", "rests on Sunday", "five days", "changes its rest"),
    *("no more Sundays", "opened", "renovated", "broken", "snowed in", "seasonal", "rare"),
    "careless",
]


def chain() -> Iterator[tuple[str, str, date, int]]:
    """Ten a day of each department, but for what a store leaves out."""
    for store in STORES:
        for n in range(7 * N_WEEKS):
            day = FIRST_DAY + timedelta(days=n)
            if day in FEASTS or not is_open(store, n // 7, n % 7):
                continue
            yield store, "a", day, 10
            if store != "sound 0" or n <= 7 * NEWEST + 2:
                yield store, "b", day, 10
            if store == "sound 1" and n * 5 % 9 < 5:
                yield store, "sparse", day, 10


def week(number: int) -> date:
    return FIRST_DAY + timedelta(days=7 * number + 6)


STORE_PART_WEEKS = {
    ("late:", NEWEST, "late", 3, 60),
    ("later:", NEWEST, "late", 6, 120),
    ("absent:", NEWEST - 2, "absent", 0, 0),
    ("absent:", NEWEST - 1, "absent", 0, 0),
    ("absent:", NEWEST, "absent", 0, 0),
    ("opened:", 20, "started", 4, 80),
    ("renovated:", 30, "interrupted", 3, 60),
    ("renovated:", 34, "interrupted", 4, 80),
    ("broken:", 51, "interrupted", 2, 40),
    ("broken:", 60, "interrupted", 4, 80),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("part_weeks")
    write_csv(folder / "sales.csv", HEADER, chain())
    return folder


def ingested(home: Home, source: Path, missing_means: str) -> Home:
    mapping = write_mapping(
        source / f"{missing_means}.yml",
        grain="daily",
        week_ends_on="saturday",
        missing_means=missing_means,
    )
    home.command("ingest", source, "--mapping", mapping)
    return home


@pytest.fixture(scope="module")
def unknown(new_home: Callable[[str], Home], source: Path) -> tuple[Home, str]:
    """A chain where a missing row means unknown, with what its week printed."""
    home = ingested(new_home("unknown"), source, "unknown")
    return home, home.command("run", "--model", "snaive_52", "--horizon", "4", "--backtests", "1")


@pytest.fixture(scope="module")
def zero(new_home: Callable[[str], Home], source: Path) -> Home:
    """The same chain where a missing row means that nothing was sold."""
    home = ingested(new_home("zero"), source, "zero")
    home.command("build")
    return home


def part_weeks(home: Home) -> set[tuple[str, int, str, int, int]]:
    rows = home.marts(
        "select item_id, week_end_date, reason, n_days, reported_sales"
        " from shop_reports.rpt_part_weeks"
    )
    return {
        (item_id, (label - FIRST_DAY).days // 7, reason, n_days, int(sales))
        for item_id, label, reason, n_days, sales in rows
    }


def sales_of(home: Home, item_id: str, *weeks: int) -> Rows:
    """(sales, is_observed, is_part_week) by week."""
    return home.marts(
        "select sales, is_observed, is_part_week from shop_marts.fct_weekly_sales"
        " where item_id = ? and list_contains(?::date[], week_end_date) order by week_end_date",
        [item_id, [week(number) for number in weeks]],
    )


def test_part_weeks_are_those_and_no_others(unknown: tuple[Home, str], zero: Home) -> None:
    series = {("sound 0:b", NEWEST, "late", 3, 30)}
    assert part_weeks(unknown[0]) == STORE_PART_WEEKS | series
    assert part_weeks(zero) == STORE_PART_WEEKS


def test_a_part_week_is_a_gap(unknown: tuple[Home, str]) -> None:
    home, _ = unknown
    gap = (None, False, True)
    assert sales_of(home, "late:a", NEWEST - 1, NEWEST) == [(70, True, False), gap]
    assert sales_of(home, "broken:b", 50, 51, 60) == [(70, True, False), gap, gap]
    # Two days of feasts, on which the chain was closed: these are its sales.
    assert sales_of(home, "sound 2:a", 51) == [(50, True, False)]
    assert sales_of(home, "sound 0:b", NEWEST) == [gap]
    assert sales_of(home, "sound 0:a", NEWEST) == [(70, True, False)]
    # A series begins with its first whole week.
    assert sales_of(home, "opened:a", 20, 21) == [(70, True, False)]
    assert home.marts(
        "select first_week_end_date, last_week_end_date from shop_marts.dim_series"
        " where item_id in ('opened:a', 'late:a') order by item_id"
    ) == [(week(0), week(NEWEST - 1)), (week(21), week(NEWEST))]


def test_where_missing_means_zero_only_a_silent_store_is_a_gap(zero: Home) -> None:
    gap = (None, False, True)
    nothing = (0, False, False)
    assert sales_of(zero, "late:a", NEWEST) == [gap]
    assert sales_of(zero, "absent:b", NEWEST - 3, NEWEST - 2) == [(70, True, False), gap]
    assert sales_of(zero, "renovated:a", 31, 32, 33) == [nothing] * 3
    assert sales_of(zero, "seasonal:a", 40, 64, 65) == [nothing, nothing, (70, True, False)]
    assert sales_of(zero, "sound 0:b", NEWEST) == [(30, True, False)]
    assert nothing in sales_of(zero, "rare:a", *range(60, N_WEEKS))


def test_the_run_says_which_stores_are_late(unknown: tuple[Home, str]) -> None:
    _, printed = unknown
    newest = f"week_end_date = {week(NEWEST)}"
    assert f"{newest}, reason = late, n = 2, who = stores, which = late, later" in printed
    silent = f"week_end_date = {week(NEWEST - 2)}, reason = absent"
    assert f"{silent}, n = 1, who = stores, which = absent" in printed
    assert printed.count("reason = absent") == 1
    assert f"{newest}, reason = late, n = 1, who = series, which = sound 0:b" in printed
    assert f"{week(60)}, reason = interrupted, n = 1, who = stores, which = broken" in printed


def test_totals_without_a_part_are_left_out_and_marked(unknown: tuple[Home, str]) -> None:
    home, _ = unknown
    totals = home.marts(
        "select week_end_date, sales, is_part_week, n_part_items"
        " from shop_marts.fct_weekly_sales_aggregate where level = 'chain' order by 1"
    )
    left_out = {label for label, sales, _, _ in totals if sales is None}
    part = {20, 30, 34, 51, 60, NEWEST - 2, NEWEST - 1, NEWEST}
    # A store that is renovated or out of season is waited for, for three weeks.
    gaps = {31, 32, 40, 41, 42}
    assert left_out == {week(n) for n in part | gaps}
    assert {label for label, _, is_part, _ in totals if is_part} == left_out
    charted = home.marts(
        "select week_end_date, actual from shop_reports.rpt_forecast_latest"
        " where level = 'chain' and is_part_week and not is_forecast order by 1"
    )
    assert charted == [(label, None) for label in sorted(left_out)]


def test_a_forecast_of_a_part_week_is_not_judged(unknown: tuple[Home, str]) -> None:
    home, _ = unknown
    assert home.marts(
        "select week_end_date, actual, abs_error from shop_marts.fct_forecast_vs_actual"
        " where item_id = 'late:a' order by 1"
    ) == [(week(n), 70, 0) for n in range(NEWEST - 3, NEWEST)] + [(week(NEWEST), None, None)]
    ((judged, known),) = home.marts(
        "select (select sum(n_rows) from shop_reports.rpt_forecast_accuracy"
        " where level = 'store-department' and kind = 'backtest'),"
        " (select count(*) from shop_marts.fct_forecast_vs_actual where actual is not null)"
    )
    assert judged == known


def test_the_page_shows_part_weeks(unknown: tuple[Home, str]) -> None:
    home, _ = unknown
    home.command("report")
    (page,) = home.path.rglob("*.html")
    text = page.read_text(encoding="utf-8")
    assert "Part weeks" in text
    assert ">late, later<" in text
