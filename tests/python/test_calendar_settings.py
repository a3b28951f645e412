"""What a mapping says of its calendar and of related files, as models read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from salescast.errors import UserError
from salescast.mapping import Mapping, load_mapping

MAPPINGS = Path(__file__).parents[2] / "mappings"
COLUMNS = {"store": "s", "department": "d", "date": "t", "sales": "v"}


def read(folder: Path, related: dict[str, Any] | None = None, **keys: Any) -> Mapping:
    tables: dict[str, Any] = {"sales": {"file": "sales.csv", "columns": COLUMNS}}
    if related is not None:
        columns = {"store": "s", "date": "t"}
        tables["related"] = {
            "file": "r.csv",
            "columns": columns,
            "series": {"promo": {}},
            **related,
        }
    path = folder / "own.yml"
    content = {"grain": "daily", "week_ends_on": "saturday", "tables": tables, **keys}
    path.write_text(yaml.safe_dump(content))
    return load_mapping(path, MAPPINGS)


@pytest.mark.parametrize(
    ("given", "regions"),
    [("FR", ["FR"]), (["DE-BY", "AT"], ["DE-BY", "AT"]), ([], [])],
)
def test_regions_are_one_or_several(tmp_path: Path, given: Any, regions: list[str]) -> None:
    mapping = read(tmp_path, calendar_region=given)
    assert mapping.calendar_region == regions
    assert ("source", "", "calendar_region", ", ".join(regions)) in mapping.settings_rows()


def test_walmart_weighs_the_four_holidays_of_its_competition() -> None:
    rows = load_mapping("walmart", MAPPINGS).settings_rows()
    names = {name for section, name, _, _ in rows if section == "holiday_event"}
    assert names == {"super_bowl", "labor_day", "thanksgiving", "christmas"}


def test_months_of_the_fiscal_year(tmp_path: Path) -> None:
    assert ("source", "", "fiscal_year_starts_in", "1") in read(tmp_path).settings_rows()
    mapping = read(tmp_path, fiscal_year_starts_in=2)
    assert ("source", "", "fiscal_year_starts_in", "2") in mapping.settings_rows()


def test_a_related_file_may_say_its_grain(tmp_path: Path) -> None:
    named = read(tmp_path, related={"grain": "daily"})
    assert ("related_series", "promo", "grain", "daily") in named.settings_rows()
    bare = read(tmp_path, related={})
    assert not [row for row in bare.settings_rows() if row[2] == "grain" and row[1] == "promo"]
    assert named.reading("related") == bare.reading("related"), "no file is read otherwise"


@pytest.mark.parametrize(
    ("keys", "fragments"),
    [
        ({"calendar_region": ["US", "US"]}, ["calendar_region", "twice"]),
        ({"calendar_region": 49}, ["calendar_region"]),
        ({"holiday_events": ["a", "a"]}, ["holiday_events", "twice"]),
        ({"holiday_events": ["two words"]}, ["holiday_events", "two words"]),
        ({"fiscal_year_starts_in": 13}, ["fiscal_year_starts_in", "13"]),
        ({"fiscal_year_starts_in": "February"}, ["fiscal_year_starts_in", "February"]),
        ({"related": {"grain": "monthly"}}, ["tables.related.grain", "monthly"]),
    ],
)
def test_what_no_model_knows_is_told(
    tmp_path: Path, keys: dict[str, Any], fragments: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, **keys)
    for fragment in fragments:
        assert fragment in str(caught.value)
