"""Spellings of dates, moments with an offset or a zone, and data that are no days or weeks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from support.source_tables import Shop, mapping

HEADER = "store,department,date,sales\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def rows(*dates: str) -> str:
    return HEADER + "".join(f'a,b,"{day}",1\n' for day in dates)


@pytest.mark.parametrize(
    ("date_format", "text", "day"),
    [
        (["%m-%d-%Y", "%m/%d/%Y"], "01-05-2026", "2026-01-05"),
        (["%m-%d-%Y", "%m/%d/%Y"], "1/27/2026", "2026-01-27"),
        (["%d.%m.%Y", "%d.%m.%y"], "3.1.26", "2026-01-03"),
        (["%d.%m.%Y", "%d.%m.%y"], "03.01.2026", "2026-01-03"),
        ("%d.%m.%y", "03.01.26", "2026-01-03"),
        ("excel", "46025", "2026-01-03"),
        ("excel", "46025.75", "2026-01-03"),
        (["%d.%m.%Y", "excel"], "46025,75", "2026-01-03"),
        (["%Y%m%d", "excel"], "20260103", "2026-01-03"),
        ("%d.%m.%Y", "\u00a003.01.2026\t", "2026-01-03"),
        ("%m/%d/%Y %I:%M:%S %p", "1/3/2026 8:30:00 PM", "2026-01-03"),
        ("%G-W%V-%u", "2026-W01-6", "2026-01-03"),
        ("%Y-%m-%d %H:%M:%S %z", "2026-01-03 20:30:00 -0500", "2026-01-03"),
        ("%Y-%m-%d %H:%M:%S%z", "2026-01-03 00:30:00+05:30", "2026-01-03"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-01-03T23:59:59Z", "2026-01-03"),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2026-01-03T23:59:59.123-08:00", "2026-01-03"),
        ("%Y-%m-%d %H:%M:%S %Z", "2026-01-03 20:30:00 EST", "2026-01-03"),
        ("%Y-%m-%d %H:%M:%S %Z", "2026-01-03 20:30:00 America/New_York", "2026-01-03"),
        ("%m/%d/%Y %I:%M:%S %p %z", "1/3/2026 8:30:00 PM -0500", "2026-01-03"),
        ("%a %b %d %H:%M:%S %z %Y", "Sat Jan 03 20:30:00 -0500 2026", "2026-01-03"),
    ],
)
def test_dates_are_read(shop: Shop, date_format: Any, text: str, day: str) -> None:
    shop.put(rows(text))
    shop.ingest(mapping(date_format=date_format))
    assert shop.rows("date") == [day]


@pytest.mark.parametrize(
    ("date_format", "text"),
    [
        ("%d.%m.%Y", "03.01.26"),
        ("excel", "20260103"),
        ("excel", "460"),
        ("%Y-%m-%d %H:%M:%S %z", "2026-01-03 20:30:00"),
        ("%G-W%V-%u", "2025-W53-1"),
        ("%Y-%m-%d", "epoch"),
    ],
)
def test_dates_that_are_none_stay_as_they_are(shop: Shop, date_format: str, text: str) -> None:
    good = datetime(2026, 1, 3, tzinfo=UTC)
    fitting = "46025" if date_format == "excel" else good.strftime(date_format)
    shop.put(rows(fitting, fitting, text))
    result = shop.ingest(mapping(date_format=date_format))
    assert shop.rows("date") == ["2026-01-03", "2026-01-03", text]
    assert "1 of 3 dates do not fit" in result.warnings[0]


@pytest.mark.parametrize(("label", "day"), [("end", "2026-01-04"), ("start", "2025-12-29")])
def test_an_iso_week_is_the_day_that_names_it(shop: Shop, label: str, day: str) -> None:
    week = mapping(grain="weekly", week_ends_on="sunday", week_label=label, date_format="%G-W%V")
    shop.put(rows("2026-W01", "2026-W1", "2025-W53"))
    shop.ingest(week)
    assert shop.rows("date") == [day, day, "2025-W53"]


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("as_written", ["2026-01-03", "2026-01-03", "2026-01-03", "2026-07-04"]),
        ("America/New_York", ["2026-01-03", "2026-01-03", "2026-01-02", "2026-07-03"]),
        ("Asia/Tokyo", ["2026-01-04", "2026-01-03", "2026-01-03", "2026-07-04"]),
    ],
)
@pytest.mark.parametrize("written", ["%z", " %z"])
def test_a_moment_counts_on_the_day_of_the_zone(
    shop: Shop, zone: str, days: list[str], written: str
) -> None:
    gap = written.removesuffix("%z")
    texts = ["2026-01-03 20:30:00-0500", "2026-01-03 12:00:00Z", "2026-01-03 04:30:00+0000"]
    texts = [text[:19] + gap + text[19:] for text in [*texts, "2026-07-04 03:30:00+00:00"]]
    shop.put(rows(*texts, "2026-02-01"))
    shop.ingest(mapping(timezone=zone, date_format=[f"%Y-%m-%d %H:%M:%S{written}", "%Y-%m-%d"]))
    assert shop.rows("date") == [*days, "2026-02-01"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    ("stored", "zone", "day"),
    [
        ("America/New_York", "as_written", "2026-01-03"),
        ("Europe/Berlin", "as_written", "2026-01-04"),
        ("-05:00", "as_written", "2026-01-03"),
        ("+05:30", "as_written", "2026-01-04"),
        ("UTC", "as_written", "2026-01-04"),
        ("UTC", "America/New_York", "2026-01-03"),
        ("+05:30", "America/New_York", "2026-01-03"),
    ],
)
def test_parquet_with_a_zone(shop: Shop, unit: str, stored: str, zone: str, day: str) -> None:
    moment = datetime(2026, 1, 3, 20, 30, tzinfo=timezone(timedelta(hours=-5)))
    table = pa.table(
        {
            "store": ["a", "b"],
            "department": ["b", "b"],
            "date": pa.array([moment, None], pa.timestamp(unit, tz=stored)),
            "sales": [1.5, 2.0],
        }
    )
    pq.write_table(table, shop.folder / "sales.parquet")
    shop.ingest(mapping(timezone=zone))
    assert shop.rows("date") == [day, None]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_midnights_of_a_zone_stay_their_days(shop: Shop, unit: str) -> None:
    days = [date(2026, 1, 1) + timedelta(days=7 * n) for n in range(52)]
    midnights = [datetime(d.year, d.month, d.day, tzinfo=ZoneInfo("Europe/Berlin")) for d in days]
    column = pa.array(midnights, pa.timestamp(unit, tz="Europe/Berlin"))
    same = ["a"] * len(days)
    table = pa.table({"store": same, "department": same, "date": column, "sales": [1] * len(days)})
    pq.write_table(table, shop.folder / "sales.parquet")
    shop.ingest(mapping())
    assert shop.rows("date") == [day.isoformat() for day in days]


def test_a_time_of_day_in_parquet_needs_no_format(shop: Shop) -> None:
    column = pa.array([datetime(2026, 1, 3, 23, 59, 59, 999_999)], pa.timestamp("us"))
    table = pa.table({"store": ["a"], "department": ["b"], "date": column, "sales": [1]})
    pq.write_table(table, shop.folder / "sales.parquet")
    shop.ingest(mapping(date_format="%d.%m.%Y"))
    assert shop.rows("date") == ["2026-01-03"]


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        ({"date_format": ["%d/%m/%Y", "%m/%d/%Y"]}, ["'%d/%m/%Y' and '%m/%d/%Y'", "differently"]),
        ({"date_format": ["%d.%m.%y", "%y.%m.%d"]}, ["differently"]),
        ({"date_format": ["%Y-%m-%d", "%Y-%d-%m"]}, ["differently"]),
        ({"date_format": ["%Y-%m-%d", "%Y-%m-%d"]}, ["twice"]),
        ({"date_format": []}, ["at least 1"]),
        ({"date_format": "%Y-W%W"}, ["only ISO weeks"]),
        ({"date_format": "%G-W%V"}, ["names a week and no day", "grain: weekly"]),
        ({"date_format": "%G-W%V", "grain": "weekly"}, ["end on sunday", "week_ends_on: sunday"]),
        ({"timezone": "Europe/Berln"}, ["'Europe/Berln' is no time zone", "'Europe/Berlin'"]),
        ({"timezone": "+02:00"}, ["no time zone", "as_written"]),
        ({"thousands_sign": "."}, ["both '.'", "decimal_sign: ','"]),
        ({"sales__encoding": "utf-9"}, ["'utf-9' is no encoding", "'utf-8'"]),
        ({"sales__encoding": "base64"}, ["no encoding of files"]),
        ({"sales__skip_lines": -1}, ["greater than or equal"]),
    ],
)
def test_keys_that_cannot_be_meant(changes: dict[str, Any], fragments: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        mapping(**changes)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_keys_of_reading_are_no_settings() -> None:
    keys = {
        "date_format": ["%d.%m.%Y", "excel"],
        "timezone": "Europe/Berlin",
        "decimal_sign": ",",
        "thousands_sign": ".",
        "sales__encoding": "windows-1252",
        "sales__skip_lines": 2,
    }
    assert mapping(**keys).settings_rows() == mapping().settings_rows()


def test_a_few_other_dates_are_told_with_the_list(shop: Shop) -> None:
    shop.put(rows(*(f"01-{day:02d}-2026" for day in range(1, 12)), "1/27/2026", "1/28/2026"))
    (told,) = shop.ingest(mapping(date_format="%m-%d-%Y")).warnings
    assert "2 of 13 dates do not fit" in told
    assert "row 12" in told
    assert "set date_format: ['%m-%d-%Y', '%m/%d/%Y']" in told


def test_days_and_months_that_would_be_swapped_are_refused(shop: Shop) -> None:
    # Most dates fit both formats: read by the wrong one, they would land on other days.
    shop.put(rows(*(f"{day:02d}/0{month}/2026" for day in (1, 5, 12, 14) for month in (1, 2, 3))))
    shop.refused(mapping(date_format="%m/%d/%Y"), "all fit '%d/%m/%Y'", "swapped", "row 10")
    shop.ingest(mapping(date_format="%d/%m/%Y"))
    assert shop.rows("date")[0] == "2026-01-01"


def test_dates_that_fit_two_formats_are_told_as_such(shop: Shop) -> None:
    shop.put(rows("01/02/2026", "03/04/2026"))
    text = shop.refused(mapping(), "'%d/%m/%Y'", "'%m/%d/%Y'")
    assert "fit both" in text


@pytest.mark.parametrize("grain", ["daily", "weekly"])
@pytest.mark.parametrize(
    ("dates", "word"),
    [
        ([date(2025 + n // 12, n % 12 + 1, 1) for n in range(6)], "monthly"),
        ([date(2025 + n // 12, n % 12 + 1, 1) - timedelta(days=1) for n in range(1, 8)], "monthly"),
        ([date(2025, 1, 4) + timedelta(days=28 * n) for n in range(6)], "monthly"),
        ([date(2024 + n // 4, 3 * (n % 4) + 1, 1) for n in range(6)], "quarterly"),
        ([date(2020 + n, 1, 1) for n in range(5)], "yearly"),
    ],
)
def test_monthly_data_are_refused(shop: Shop, dates: list[date], word: str, grain: str) -> None:
    lines = "".join(f"{store},b,{day},1\n" for store in "acd" for day in dates)
    shop.put(HEADER + lines)
    text = shop.refused(mapping(grain=grain), f"{word} data cannot be forecast by week")
    assert "grain" not in text


def test_months_in_files_of_their_own_are_refused(shop: Shop) -> None:
    for month in range(1, 7):
        shop.put(rows(f"2026-0{month}-01"), f"sales{month}.csv")
    text = shop.refused(mapping(grain="weekly"))
    assert "monthly data cannot be forecast by week" in text


@pytest.mark.parametrize(
    "dates",
    [
        # Few dates say nothing.
        [date(2026, 1, 3), date(2026, 1, 31), date(2026, 2, 28)],
        # An item that sells now and then.
        [date(2026, 1, 3) + timedelta(days=n) for n in (0, 41, 70, 160, 163, 230)],
        [date(2026, 1, 3) + timedelta(days=n) for n in (0, 27, 90, 130, 220)],
        [date(2026, 1, 3) + timedelta(days=7 * n) for n in range(9)],
    ],
)
def test_other_gaps_are_no_months(shop: Shop, dates: list[date]) -> None:
    shop.put(rows(*map(str, dates)))
    shop.ingest(mapping())
    assert shop.rows("date") == [str(day) for day in dates]


def test_days_that_were_read_as_months_are_told_so(shop: Shop) -> None:
    lines = "".join(f"s,d,11.{day:02}.2026,5\n" for day in range(5, 12))
    shop.put("store,department,date,sales\n" + lines)
    text = shop.refused(mapping(date_format="%d.%m.%Y"))
    assert "if they are days of November, day and month are swapped under date_format" in text
