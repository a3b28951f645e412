"""Open days known ahead: every recipe learns of whole weeks and forecasts those that are coming."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest

from support.home import Home, Rows
from support.sources import write_csv, write_mapping

pytestmark = pytest.mark.dbt

FIRST_DAY = date(2023, 1, 1)
N_WEEKS, CUTOFF_WEEK, HORIZON = 84, 76, 4
CUTOFF = FIRST_DAY + timedelta(days=7 * CUTOFF_WEEK + 6)
STORES = [f"S{number}" for number in range(8)]
MODELS = ("snaive_calendar", "mstl_ets")
BACKTEST = (
    *("backtest", "--cutoff", CUTOFF.isoformat(), "--horizon", str(HORIZON)),
    *("--model", "snaive_calendar", "--model", "mstl_ets"),
)
FORECASTS = (
    "select model_id, item_id, horizon_weeks, mean, p05, p50, p95 from shop_marts.fct_forecast"
    " where cutoff_date = ? order by 1, 2, 3"
)


def open_days(store: str, week: int) -> int:
    """Six as a rule; fewer here and there, and none for two weeks of S1 after the cutoff."""
    if store == "S1" and week in (30, 31, CUTOFF_WEEK + 2, CUTOFF_WEEK + 3):
        return 0
    if store == "S0" and week == CUTOFF_WEEK + 1:
        return 3
    return random.Random(f"{store} {week}").choice([6, 6, 6, 6, 5, 4, 3])


def days(store: str) -> Iterator[tuple[date, bool]]:
    for week in range(N_WEEKS):
        n_open = open_days(store, week)
        for day in range(7):
            yield FIRST_DAY + timedelta(days=7 * week + day), 1 <= day <= n_open


def level(store: str, department: str) -> int:
    return 20 + 5 * STORES.index(store) + (30 if department == "b" else 0)


def sales(last: date) -> Iterator[tuple[str, str, date, int]]:
    """As much on each open day, give or take a little, and a row of 0 on the others."""
    for store in STORES:
        for department in "ab":
            noise = random.Random(f"{store}{department}")
            for day, is_open in days(store):
                sold = level(store, department) + noise.randint(-2, 2)
                if day <= last:
                    yield store, department, day, sold if is_open else 0


@pytest.fixture(scope="module")
def landed(
    new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, date], Home]:
    """Makes a home that knows the open days of all weeks, and sales up to a day."""

    def land(name: str, last: date) -> Home:
        source = tmp_path_factory.mktemp(name)
        write_csv(source / "sales.csv", ("store", "department", "date", "sales"), sales(last))
        opened = ((store, day, int(is_open)) for store in STORES for day, is_open in days(store))
        write_csv(source / "related.csv", ("store", "date", "open"), opened)
        mapping = write_mapping(
            source / "mapping.yml",
            series={"open": {"known_future": True, "weekly_aggregation": "sum"}},
            grain="daily",
            week_ends_on="saturday",
        )
        home = new_home(name)
        home.command("ingest", source, "--mapping", mapping)
        return home

    return land


@pytest.fixture(scope="module")
def knowing(landed: Callable[[str, date], Home]) -> tuple[Home, str]:
    """A home with all sales and a backtest, with what that printed."""
    home = landed("knowing", FIRST_DAY + timedelta(weeks=N_WEEKS))
    return home, home.command(*BACKTEST)


def forecasts(home: Home) -> Rows:
    return home.marts(FORECASTS, [CUTOFF])


def wape(home: Home, model_id: str) -> float:
    ((error,),) = home.marts(
        "select sum(abs_error) / sum(abs_actual) from shop_marts.fct_forecast_vs_actual"
        " where model_id = ?",
        [model_id],
    )
    return float(error)


def test_sales_tell_what_they_are_in_proportion_to(knowing: tuple[Home, str]) -> None:
    home, printed = knowing
    found = home.warehouse("select series_name, exponent from shop_exports.exp_exposure")
    assert found == [("open", 1.0)]
    n_shares = sum(open_days(s, CUTOFF_WEEK + n) != 6 for s in STORES for n in range(1, 5))
    assert f"{2 * n_shares} weeks ahead are more or less than whole" in printed


@pytest.mark.parametrize("model_id", MODELS)
def test_forecasts_follow_the_open_days(knowing: tuple[Home, str], model_id: str) -> None:
    home, _ = knowing
    assert wape(home, model_id) < 0.05 < 0.2 < wape(home, "snaive_52")
    for model, item_id, lead, mean, p05, p50, p95 in forecasts(home):
        store, department = item_id.split(":")
        n_open = open_days(store, CUTOFF_WEEK + lead)
        if n_open == 0:
            assert mean == p05 == p95 == 0, (model, item_id, lead)
        elif model == model_id:
            expected = level(store, department) * n_open
            assert abs(p50 - expected) < 0.15 * expected, (item_id, lead)
            # A whole week's width on half a week would be twice as wide.
            assert p05 < p50 < p95 < 1.6 * expected


def test_later_sales_change_nothing(
    landed: Callable[[str, date], Home], knowing: tuple[Home, str]
) -> None:
    home = landed("unknowing", CUTOFF)
    home.command("run", *BACKTEST[3:])
    assert forecasts(home) == forecasts(knowing[0])
