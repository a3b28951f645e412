"""Landing what became of stores and departments: renamed, closed, still sold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from salescast.errors import UserError
from salescast.ingest import ingest
from salescast.lake import Lake
from salescast.mapping import Mapping, load_mapping

MAPPINGS = Path(__file__).parents[3] / "mappings"
SALES = "store,department,date,sales\nMain St,bread,2026-01-03,5\n"
KEYS = ("store", "department", "renamed_from", "closed_on", "still_sold")


def mapping(folder: Path, **table: Any) -> Mapping:
    """The canonical sales, and a table of changes as given."""
    names = {name: name for name in ("store", "department", "date", "sales")}
    tables = {"sales": {"file": "sales.csv", "columns": names}, "series_changes": table}
    content = {"grain": "weekly", "week_ends_on": "saturday", "tables": tables}
    path = folder / "own.yml"
    path.write_text(yaml.safe_dump(content))
    return load_mapping(path, MAPPINGS)


def landed(lake: Lake) -> list[tuple[Any, ...]]:
    rows = lake.read("raw_series_changes").to_pylist()
    return [tuple(row[key] for key in KEYS) for row in rows]


def test_changes_land_before_sales_with_what_the_file_lacks_left_empty(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(SALES)
    (tmp_path / "series_changes.csv").write_text(
        "store,renamed_from,closed_on\nMain Street,Main St,\nPark,,2025-12-06\n"
    )
    lake = Lake(tmp_path / "lake")
    result = ingest(tmp_path, load_mapping("retail", MAPPINGS), lake)
    assert [load.table_name for load in result.loads] == ["raw_series_changes", "raw_sales"]
    assert landed(lake) == [
        ("Main Street", None, "Main St", None, None),
        ("Park", None, None, "2025-12-06", None),
    ]


def test_columns_and_dates_are_the_sources_own(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(SALES)
    (tmp_path / "umzug.csv").write_text("Filiale,Ware,Noch\nPark,Skiwachs,ja\n")
    own = mapping(
        tmp_path,
        file="umzug.csv",
        columns={"store": "Filiale", "department": "Ware", "still_sold": "Noch"},
    )
    lake = Lake(tmp_path / "lake")
    ingest(tmp_path, own, lake)
    assert landed(lake) == [("Park", "Skiwachs", None, None, "ja")]


def test_a_file_of_changes_alone_follows_sales_that_are_landed(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(SALES)
    retail, lake = load_mapping("retail", MAPPINGS), Lake(tmp_path / "lake")
    ingest(tmp_path, retail, lake)
    changes = tmp_path / "series_changes.csv"
    changes.write_text("department,closed_on\nold-sku,2025-12-06\n")
    result = ingest(changes, retail, lake)
    assert [(load.table_name, load.n_rows) for load in result.loads] == [("raw_series_changes", 1)]


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"closed_on": "c"}, "one of store, department is needed"),
        ({"store": "s", "department": "d"}, "one of renamed_from, closed_on, still_sold is needed"),
        ({"store": "s", "renamed_to": "r"}, "renamed_from"),
    ],
)
def test_a_table_that_could_say_nothing_is_refused(
    tmp_path: Path, columns: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        mapping(tmp_path, file="changes.csv", columns=columns)
