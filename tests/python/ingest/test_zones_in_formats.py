"""What a date format says of the zone in plain letters is heeded, and names of zones are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from salescast.mapping import fixed_offset
from support.source_tables import Shop, mapping

HEADER = "store,department,date,sales\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize(
    ("date_format", "text"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", "2026-01-03T03:30:00Z"),
        ("%Y-%m-%dT%H:%M:%S.%fZ", "2026-01-03T03:30:00.250Z"),
        ("%Y-%m-%dT%H:%M:%S.000Z", "2026-01-03T03:30:00.000Z"),
        ("%Y-%m-%dT%H:00:00Z", "2026-01-03T03:00:00Z"),
        ("%d.%m.%Y %H:%M UTC", "03.01.2026 03:30 UTC"),
        ("%Y-%m-%d %H:%M:%S (GMT)", "2026-01-03 03:30:00 (GMT)"),
        ("%Y-%m-%d %H:%M:%S+00:00", "2026-01-03 03:30:00+00:00"),
        ("%Y-%m-%d %H:%M:%S +0100", "2026-01-03 04:30:00 +0100"),
        ("%Y-%m-%d %H:%M:%S UTC-02", "2026-01-03 01:30:00 UTC-02"),
        ("%m/%d/%Y %I:%M %p GMT+0530", "01/03/2026 09:00 AM GMT+0530"),
        ("%a %b %d %H:%M:%S +0000 %Y", "Sat Jan 03 03:30:00 +0000 2026"),
        ("%Y-%m-%d %H:%M:%S %z", "2026-01-03 03:30:00 UTC"),
        ("%a %b %d %H:%M:%S %z %Y", "Sat Jan 03 03:30:00 GMT 2026"),
        ("%Y-%m-%d %H:%M:%S %z", "2026-01-03 04:30:00 GMT+01:00"),
    ],
)
def test_an_offset_in_plain_letters_is_an_offset(shop: Shop, date_format: str, text: str) -> None:
    shop.put(f"{HEADER}a,b,{text},1\n")
    shop.ingest(mapping(date_format=date_format, timezone="America/New_York"))
    assert shop.rows("date") == ["2026-01-02"]


@pytest.mark.parametrize("date_format", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"])
def test_as_written_counts_the_day_that_stands_there(shop: Shop, date_format: str) -> None:
    shop.put(f"{HEADER}a,b,2026-01-03T03:30:00Z,1\n")
    shop.ingest(mapping(date_format=date_format))
    assert shop.rows("date") == ["2026-01-03"]


@pytest.mark.parametrize(
    ("date_format", "minutes"),
    [
        ("%Y-%m-%d", None),
        ("%d-%m-%Y %H-%M", None),
        ("%Y-%m-%dT%H:%M:%S", None),
        ("%H:%M Uhr %d.%m.%Y", None),
        ("%Y-%m-%d %H:%M:%S%z[UTC]", None),
        ("%Y-%m-%dT00:00:00Z", 0),
        ("%Y-%m-%d %H:%M:%S-03:30", -210),
    ],
)
def test_what_is_an_offset(date_format: str, minutes: int | None) -> None:
    assert fixed_offset(date_format) == minutes


@pytest.mark.parametrize(
    "date_format",
    ["%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M EST", "%d.%m.%Y %H:%M Europe/Berlin"],
)
def test_names_of_zones_are_refused_with_a_zone_of_the_stores(date_format: str) -> None:
    mapping(date_format=date_format)
    with pytest.raises(ValidationError, match="has the name of a zone") as caught:
        mapping(date_format=["%Y-%m-%d", date_format], timezone="Europe/London")
    assert "%z" in str(caught.value)
    assert "as_written" in str(caught.value)


def test_a_name_of_a_zone_is_not_advised_with_a_zone_of_the_stores(shop: Shop) -> None:
    shop.put(f"{HEADER}a,b,2026-01-03 03:30:00 BST,1\n")
    text = shop.refused(mapping(timezone="Europe/London"), "most dates do not fit")
    assert "%Z" not in text
