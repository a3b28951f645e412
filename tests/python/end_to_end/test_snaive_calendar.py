"""The calendar's naive on a made-up chain: it lands, follows growth, and sees nothing later."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

import pytest

from support.home import REPOSITORY, Home, Rows
from support.sources import weeks

pytestmark = pytest.mark.dbt

WEEKS = weeks(date(2022, 1, 8), 139)
CUTOFF, HORIZON = WEEKS[130], 8
RUN = ("--model", "snaive_calendar", "--horizon", str(HORIZON))
FORECASTS = (
    "select item_id, week_end_date, horizon_weeks, p05, p10, p20, p30, p40, p50, p60, p70, p80,"
    " p90, p95, mean from shop_marts.fct_forecast where model_id = ? order by 1, 2"
)


def sales(store: str, department: str, week: int) -> float | None:
    """Sales of a week, None where there is no row; each odd series has one thing odd."""
    season = 1 + 0.4 * math.sin(2 * math.pi * week / 52.18)
    usual = 100 * season * (1.5 if week >= 110 else 1.0) + week * 7919 % 11
    odd: dict[tuple[str, str], float | None] = {
        ("North", "zero"): 0.0,
        ("North", "returns"): -5.0 if week % 3 else 4.0,
        ("North", "gap"): None if 70 <= week < 100 else usual,
        ("North", "ended"): None if week >= 60 else usual,
        ("New", "bread"): None if week < 118 else 0.5 * usual,
        ("New", "toys"): None if week < 130 else usual,
        ("North", "autumn"): usual if week % 52 in range(36, 48) else None,
    }
    return odd.get((store, department), usual)


def rows(last: date) -> Iterator[tuple[str, str, date, str]]:
    series = [(s, d) for s in ("North", "South", "West") for d in ("bread", "milk")]
    series += [("North", d) for d in ("zero", "returns", "gap", "ended", "autumn")]
    series += [("New", d) for d in ("bread", "toys")]
    for store, department in series:
        for n, week in enumerate(WEEKS):
            sold = sales(store, department, n)
            if week <= last and sold is not None:
                yield store, department, week, f"{sold:.2f}"


@pytest.fixture(scope="module")
def land(
    weekly_home: Callable[[str, Iterable[Sequence[object]]], Home],
) -> Callable[[str, date], Home]:
    """Makes a home that holds the chain's sales up to a week."""
    return lambda name, last: weekly_home(name, rows(last))


@pytest.fixture(scope="module")
def knowing(land: Callable[[str, date], Home]) -> Home:
    """A home with the weeks after the cutoff, too, and a backtest."""
    home = land("knowing", WEEKS[-1])
    home.command("backtest", "--cutoff", CUTOFF.isoformat(), *RUN)
    return home


def of_model(home: Home, model_id: str) -> Rows:
    return home.marts(FORECASTS, [model_id])


def test_its_rows_are_those_of_the_naive(knowing: Home) -> None:
    own, naive = of_model(knowing, "snaive_calendar"), of_model(knowing, "snaive_52")
    assert [row[:3] for row in own] == [row[:3] for row in naive]
    assert len(own) == 13 * HORIZON
    for row in own:
        numbers = row[3:]
        assert all(math.isfinite(number) and number >= 0 for number in numbers)
        assert list(numbers[:11]) == sorted(numbers[:11])
    idle = [row[3:] for row in own if row[0] in ("North:zero", "North:ended")]
    assert all(numbers[5] == numbers[11] == 0 and numbers[10] < 1 for numbers in idle)


def test_it_follows_growth_and_the_season(knowing: Home) -> None:
    """The chain sells half as much again as a year ago; a young series goes by its own level."""
    errors = dict(
        knowing.marts(
            "select f.model_id || ' ' || s.item_id, sum(abs(f.p50 - s.sales)) / sum(abs(s.sales))"
            " from shop_marts.fct_forecast as f join shop_marts.fct_weekly_sales as s"
            " using (item_id, week_end_date) group by all"
        )
    )
    for item in ("North:bread", "South:milk"):
        assert errors[f"snaive_calendar {item}"] < 0.12 < errors[f"snaive_52 {item}"], item
    assert errors["snaive_calendar New:bread"] < 0.15


def test_the_band_is_its_own(knowing: Home) -> None:
    bands = knowing.warehouse("select count(*) from shop_baselines.snaive_calendar__band")
    assert bands == [(4,)]


def test_a_batch_that_does_not_ask_for_it_does_not_build_it(
    land: Callable[[str, date], Home], knowing: Home
) -> None:
    """And what it forecasts is the same where nothing after the cutoff was ever landed."""
    home = land("unknowing", CUTOFF)
    home.command("run", "--model", "snaive_52", "--horizon", str(HORIZON))
    built = "select count(*) from information_schema.tables where contains(table_name, ?)"
    assert home.warehouse(built, ["snaive_calendar"]) == [(0,)]
    home.command("run", *RUN)
    models = list((REPOSITORY / "models/baselines/snaive_calendar").glob("*.sql"))
    assert home.warehouse(built, ["snaive_calendar"]) == [(len(models),)]
    assert of_model(home, "snaive_calendar") == of_model(knowing, "snaive_calendar")
