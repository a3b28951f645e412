"""Holidays of the mapping's regions land with its settings; an unknown region is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from salescast.errors import UserError
from salescast.ingest import holiday_days, ingest
from salescast.ingest.holiday_days import changed_days, holiday_rows
from salescast.lake import Lake
from salescast.lake.settings import newest_settings
from salescast.mapping import Mapping

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def mapping(**keys: object) -> Mapping:
    columns = {"store": "s", "department": "d", "date": "t", "sales": "v"}
    tables = {"sales": {"file": "sales*.csv", "columns": columns}}
    content = {"name": "m", "grain": "daily", "week_ends_on": "saturday", "tables": tables, **keys}
    return Mapping.model_validate(content)


def days(*regions: str, year: int = 2026) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for section, name, day, _ in holiday_rows(regions, year):
        if section == "holiday":
            found.setdefault(name, []).append(day)
    return found


@pytest.mark.parametrize(
    ("region", "name", "known"),
    [
        ("US", "christmas", "1990-12-25 2026-12-25 2029-12-25"),
        ("US", "thanksgiving", "2010-11-25 2026-11-26"),
        ("US", "memorial_day", "2012-05-28 2025-05-26"),
        ("US", "observed_holiday", "2021-12-24 2021-12-31 2026-07-03"),
        ("GB-ENG", "summer_bank_holiday", ""),
        ("GB-ENG", "late_summer_bank_holiday", "2020-08-31"),
        ("GB-ENG", "observed_holiday", "2020-12-28"),
        ("GB-ENG", "special_holiday", "2011-04-29 2022-06-03 2022-09-19 2023-05-08"),
        ("DE-BY", "corpus_christi", "2026-06-04"),
        ("DE", "corpus_christi", ""),
        ("DE", "special_holiday", "2017-10-31"),
        ("FR", "armistice_day", "2026-11-11"),
        ("SA", "eid_al_fitr_holiday", "2026-03-20"),
        ("NZ", "waitangi_day", "2026-02-06"),
    ],
)
def test_known_holidays(region: str, name: str, known: str) -> None:
    found = days(region).get(name, [])
    assert set(known.split()) <= set(found)
    assert bool(found) == bool(known)


def test_days_of_several_regions_are_united() -> None:
    both = days("DE-BY", "FR")
    assert {"corpus_christi", "armistice_day"} <= set(both)
    assert both["christmas"] == days("FR")["christmas"], "a day that both have is one row"
    rows = holiday_rows(["DE-BY", "FR"], 2026)
    assert rows[0] == ("calendar_region", "DE-BY", "country", "DE")
    assert [row[1] for row in rows if row[0] == "calendar_region"] == ["DE-BY", "FR"]
    assert len(rows) == len(set(rows)), "one row per section, name and attribute"
    assert ("holiday", "christmas", "2026-12-25", "24") in rows
    assert holiday_rows([], 2026) == []


@pytest.mark.parametrize(
    ("region", "fragments"),
    [
        ("XX", ["'XX'", "two letters"]),
        ("Germany", ["'Germany'", "near it: DE"]),
        ("UK", ["near it: GB"]),
        ("DEU", ["near it: DE"]),
        ("de", ["near it: DE"]),
        ("DE-BX", ["DE-BY", "give DE or one of"]),
        ("DE-", ["'DE-'", "DE-BY"]),
        ("US-Texas", ["US-TX"]),
    ],
)
def test_an_unknown_region_is_refused_before_anything_lands(
    tmp_path: Path, region: str, fragments: list[str]
) -> None:
    (tmp_path / "sales.csv").write_text("s,d,t,v\n1,a,2026-11-02,5\n")
    lake = Lake(tmp_path / "lake")
    with pytest.raises(UserError) as caught:
        ingest(tmp_path, mapping(calendar_region=["US", region]), lake, now=NOW)
    for fragment in [*fragments, "calendar_region"]:
        assert fragment in str(caught.value)
    assert not newest_settings(lake).rows


def test_holidays_land_again_only_where_they_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sales.csv").write_text("s,d,t,v\n1,a,2026-11-02,5\n")
    lake = Lake(tmp_path / "lake")
    first = ingest(tmp_path, mapping(), lake, now=NOW)
    rows = newest_settings(lake).rows
    assert ("source", "", "calendar_region", "US") in rows
    assert ("holiday", "thanksgiving", "2026-11-26", "0") in rows
    again = ingest(tmp_path, mapping(), lake, now=NOW)
    assert first.settings_changed and not again.settings_changed

    # A release of the library that has another day in the past.
    def other(regions: list[str], year: int) -> list[tuple[str, str, str, str | None]]:
        rows = holiday_rows(regions, year)
        return [*rows, ("holiday", "special_holiday", "2025-01-09", "0")]

    monkeypatch.setattr("salescast.ingest.settings_rows.holiday_rows", other)
    changed = ingest(tmp_path, mapping(), lake, now=NOW)
    assert changed.settings_changed
    assert [w for w in changed.warnings if "1 holiday" in w and "2025-01-09" in w]


def test_a_new_year_or_another_region_is_no_changed_holiday() -> None:
    assert not changed_days(holiday_rows(["US"], 2026), holiday_rows(["US"], 2027))
    assert not changed_days(holiday_rows(["US"], 2026), holiday_rows(["FR"], 2026))
    assert not changed_days([], holiday_rows(["US"], 2026))


def test_every_region_has_names_that_models_can_carry() -> None:
    """Of every country of the library, for a few years."""
    for country in holiday_days.holidays.list_supported_countries(include_aliases=False):
        for name, _ in holiday_days._days_of(country, None, range(2024, 2027)):
            assert name.isascii() and name == name.lower() and " " not in name and name, country
