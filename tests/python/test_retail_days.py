"""The seed of retail days is what its script makes, and its dates are the known ones."""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from dateutil.easter import easter  # type: ignore[import-untyped, unused-ignore]

ROOT = Path(__file__).parents[2]
SEED = ROOT / "seeds" / "retail_days.csv"
YEARS = range(2005, 2036)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "make_retail_days.py"
    spec = importlib.util.spec_from_file_location("make_retail_days", path)
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
        if (row["country"], row["event_name"]) == (region, name)
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
    monkeypatch.setattr(sys, "argv", ["make_retail_days.py", "--output", str(output)])
    script.main()
    assert output.read_bytes() == SEED.read_bytes()


def test_columns_keys_and_values(rows: list[dict[str, str]]) -> None:
    assert list(rows[0]) == ["country", "event_name", "event_date", "lead_days"]
    keys = Counter((row["country"], row["event_name"], row["event_date"]) for row in rows)
    assert max(keys.values()) == 1
    assert {row["country"] for row in rows} == {"US", "GB", "DE"}
    lifted = {row["event_name"]: int(row["lead_days"]) for row in rows if row["lead_days"] != "0"}
    assert lifted == {"easter": 7, "mothers_day": 7}


def test_yearly_events_are_there_in_each_year(rows: list[dict[str, str]]) -> None:
    names = {(row["country"], row["event_name"]) for row in rows}
    started_late = {("GB", "black_friday"), ("DE", "black_friday")}
    for region, name in names - started_late:
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
        ("US", "black_friday", "2012-11-23 2013-11-29 2019-11-29 2024-11-29"),
        ("GB", "mothers_day", "2012-03-18 2024-03-10 2025-03-30 2026-03-15"),
        ("DE", "mothers_day", "2012-05-13 2025-05-11"),
        ("DE", "carnival_monday", "2012-02-20 2025-03-03"),
    ],
)
def test_known_dates(rows: list[dict[str, str]], region: str, name: str, days: str) -> None:
    dates = _dates(rows, region, name)
    for day in map(date.fromisoformat, days.split()):
        assert dates[day.year] == day


def test_easter_agrees_with_another_algorithm(rows: list[dict[str, str]]) -> None:
    for region in ("US", "GB", "DE"):
        dates = _dates(rows, region, "easter")
        assert dates == {year: easter(year) for year in YEARS}
