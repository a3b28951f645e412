"""The seed of calendar events is what its script makes, and its dates are the known ones."""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from dateutil.easter import easter  # type: ignore[import-untyped, unused-ignore]
from pandas.tseries.holiday import USFederalHolidayCalendar

ROOT = Path(__file__).parents[2]
SEED = ROOT / "seeds" / "calendar_events.csv"
YEARS = range(2005, 2036)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "make_calendar_events.py"
    spec = importlib.util.spec_from_file_location("make_calendar_events", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while it is executed.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with SEED.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _dates(rows: list[dict[str, str]], region: str, name: str) -> dict[int, date]:
    days = [
        date.fromisoformat(row["event_date"])
        for row in rows
        if (row["region"], row["event_name"]) == (region, name)
    ]
    by_year = {day.year: day for day in days}
    assert len(by_year) == len(days)
    return by_year


def test_seed_is_the_script_output(script: ModuleType) -> None:
    assert SEED.read_bytes() == script.render().encode()


def test_script_writes_where_it_is_told(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "events.csv"
    monkeypatch.setattr(sys, "argv", ["make_calendar_events.py", "--output", str(output)])
    script.main()
    assert output.read_bytes() == SEED.read_bytes()


def test_columns_keys_and_values(rows: list[dict[str, str]]) -> None:
    assert list(rows[0]) == ["region", "event_name", "event_date", "lead_days", "is_holiday"]
    keys = Counter((row["region"], row["event_name"], row["event_date"]) for row in rows)
    assert max(keys.values()) == 1
    assert {row["region"] for row in rows} == {"US", "GB", "DE"}
    assert {row["is_holiday"] for row in rows} == {"true", "false"}
    lifted = {row["event_name"]: int(row["lead_days"]) for row in rows if row["lead_days"] != "0"}
    assert lifted == {"easter": 7, "mothers_day": 7, "christmas": 24}


def test_yearly_events_are_there_in_each_year(rows: list[dict[str, str]]) -> None:
    names = {(row["region"], row["event_name"]) for row in rows}
    started_late = {("GB", "black_friday"), ("DE", "black_friday")}
    special = {("GB", "special_holiday"), ("DE", "special_holiday")}
    for region, name in names - special - started_late:
        assert list(_dates(rows, region, name)) == list(YEARS), (region, name)
    for region, name in started_late:
        assert list(_dates(rows, region, name)) == list(range(2013, 2036))


@pytest.mark.parametrize(
    ("region", "name", "days"),
    [
        (
            "US",
            "super_bowl",
            "2005-02-06 2006-02-05 2007-02-04 2008-02-03 2009-02-01 2010-02-07 2011-02-06 "
            "2012-02-05 2013-02-03 2014-02-02 2015-02-01 2016-02-07 2017-02-05 2018-02-04 "
            "2019-02-03 2020-02-02 2021-02-07 2022-02-13 2023-02-12 2024-02-11 2025-02-09 "
            "2026-02-08 2027-02-14",
        ),
        ("US", "easter", "2012-04-08 2024-03-31 2025-04-20 2026-04-05"),
        ("US", "mothers_day", "2012-05-13 2026-05-10"),
        ("US", "fathers_day", "2012-06-17 2025-06-15"),
        ("US", "memorial_day", "2010-05-31 2012-05-28 2025-05-26"),
        ("US", "labor_day", "2010-09-06 2011-09-05 2012-09-03 2025-09-01"),
        ("US", "thanksgiving", "2010-11-25 2011-11-24 2012-11-22 2018-11-22 2019-11-28"),
        ("US", "black_friday", "2012-11-23 2013-11-29 2019-11-29 2024-11-29"),
        ("GB", "mothers_day", "2012-03-18 2024-03-10 2025-03-30 2026-03-15"),
        ("GB", "early_may_bank_holiday", "2019-05-06 2020-05-08 2021-05-03"),
        ("GB", "spring_bank_holiday", "2011-05-30 2012-06-04 2013-05-27 2022-06-02 2023-05-29"),
        ("GB", "summer_bank_holiday", "2012-08-27 2020-08-31"),
        ("GB", "boxing_day", "2012-12-26"),
        ("DE", "mothers_day", "2012-05-13 2025-05-11"),
        ("DE", "carnival_monday", "2012-02-20 2025-03-03"),
        ("DE", "ascension_day", "2012-05-17 2025-05-29"),
        ("DE", "whit_monday", "2012-05-28 2025-06-09"),
        ("DE", "german_unity_day", "2012-10-03"),
    ],
)
def test_known_dates(rows: list[dict[str, str]], region: str, name: str, days: str) -> None:
    dates = _dates(rows, region, name)
    for day in map(date.fromisoformat, days.split()):
        assert dates[day.year] == day


def test_special_holidays(rows: list[dict[str, str]]) -> None:
    special = [row for row in rows if row["event_name"] == "special_holiday"]
    assert [(row["region"], row["event_date"]) for row in special] == [
        ("DE", "2017-10-31"),
        ("GB", "2011-04-29"),
        ("GB", "2012-06-05"),
        ("GB", "2022-06-03"),
        ("GB", "2022-09-19"),
        ("GB", "2023-05-08"),
    ]


def test_easter_agrees_with_another_algorithm(rows: list[dict[str, str]]) -> None:
    for region in ("US", "GB", "DE"):
        dates = _dates(rows, region, "easter")
        assert dates == {year: easter(year) for year in YEARS}


def test_moving_us_holidays_agree_with_the_federal_calendar(rows: list[dict[str, str]]) -> None:
    federal = USFederalHolidayCalendar()
    rules = {rule.name: rule for rule in federal.rules}
    names = {
        "memorial_day": "Memorial Day",
        "labor_day": "Labor Day",
        "thanksgiving": "Thanksgiving Day",
    }
    for name, federal_name in names.items():
        days = rules[federal_name].dates(pd.Timestamp(2005, 1, 1), pd.Timestamp(2035, 12, 31))
        assert list(_dates(rows, "US", name).values()) == [day.date() for day in days]


def test_days_after_another_event(rows: list[dict[str, str]]) -> None:
    one_day = timedelta(days=1)
    for year, thanksgiving in _dates(rows, "US", "thanksgiving").items():
        assert _dates(rows, "US", "black_friday")[year] == thanksgiving + one_day
    for region in ("GB", "DE"):
        for year, day in _dates(rows, region, "easter").items():
            assert _dates(rows, region, "good_friday")[year] == day - 2 * one_day
            assert _dates(rows, region, "easter_monday")[year] == day + one_day
