"""Wide files: one column a week or day becomes rows, or the message says how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from support.source_tables import Shop, mapping

COLUMNS = {"store": "store", "department": "item"}
WEEKLY = {"grain": "weekly", "sales__columns": COLUMNS}
NUMBERED = {"columns": ["W*"], "first_column": "W1", "first_date": "2026-01-03"}
DATED = {"columns": ["20*"], "date_format": "%Y-%m-%d"}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_numbered_weeks(shop: Shop) -> None:
    shop.put('item,note,W1,W2,W10,store\nx,hi,1,,3,a\ny,ho,NA,5,"1,006.5",b\n')
    shop.ingest(mapping(**WEEKLY, sales__unpivot=NUMBERED, null_texts=["NA"]))
    assert shop.rows("source_row", "store", "department", "date", "sales") == [
        (100_003, "a", "x", "2026-01-03", "1"),
        (100_005, "a", "x", "2026-03-07", "3"),
        (200_004, "b", "y", "2026-01-10", "5"),
        (200_005, "b", "y", "2026-03-07", "1006.5"),
    ]


def test_numbered_days(shop: Shop) -> None:
    shop.put("item,d_1,d_2,d_1941,store\nx,1,2,3,a\n")
    days = {"columns": "d_*", "first_column": "d_1", "first_date": "2011-01-29"}
    shop.ingest(mapping(sales__columns=COLUMNS, sales__unpivot=days))
    assert shop.rows("date") == ["2011-01-29", "2011-01-30", "2016-05-22"]


def test_dates_in_the_names_and_a_totals_line(shop: Shop) -> None:
    shop.put("store,item,2026-01-03,2026-01-10\na,x,1,2\nTotal,3\na,y,4,5\n")
    result = shop.ingest(mapping(**WEEKLY, sales__unpivot=DATED))
    assert shop.rows("source_row", "date", "sales", "unreadable_line") == [
        (100_003, "2026-01-03", "1", None),
        (100_004, "2026-01-10", "2", None),
        (200_000, None, None, "Total,3"),
        (300_003, "2026-01-03", "4", None),
        (300_004, "2026-01-10", "5", None),
    ]
    assert "line 3: 'Total,3'" in result.warnings[0]


def test_iso_weeks_in_the_names(shop: Shop) -> None:
    shop.put("store,item,2026-W01,2026-W02\na,x,1,2\n")
    weeks = {"columns": "20*", "date_format": "%G-W%V"}
    shop.ingest(mapping(**WEEKLY, week_ends_on="sunday", sales__unpivot=weeks))
    assert shop.rows("date") == ["2026-01-04", "2026-01-11"]


def test_wide_parquet(shop: Shop) -> None:
    table = pa.table(
        {"store": ["a"], "item": [7.0], "W1": [1.5], "W2": pa.array([None], pa.int64())}
    )
    pq.write_table(table, shop.folder / "sales.parquet")
    shop.ingest(mapping(**WEEKLY, sales__unpivot=NUMBERED))
    assert shop.rows("department", "date", "sales") == [("7", "2026-01-03", "1.5")]


def test_a_wide_series(shop: Shop) -> None:
    related: dict[str, Any] = {
        "file": "related*",
        "columns": {"store": "store"},
        "unpivot": DATED,
        "series": {"price": {}},
    }
    shop.put("store,item,W1\na,x,1\n")
    shop.put("store,2026-01-03,2026-01-10\na,1.5,\nb,2,3\n", "related.csv")
    shop.ingest(mapping(**WEEKLY, sales__unpivot=NUMBERED, related=related))
    assert shop.rows("store", "date", "series_name", "value", table="raw_related") == [
        ("a", "2026-01-03", "price", "1.5"),
        ("b", "2026-01-03", "price", "2"),
        ("b", "2026-01-10", "price", "3"),
    ]


@pytest.mark.parametrize(
    ("header", "how"),
    [
        ("store,item,W0,W1,W2,W3,W4", '{columns: ["W[0-9]*"], first_column: W0, first_date: '),
        ("store,item,d_1,d_2,d_3,d_4", '{columns: ["d_[0-9]*"], first_column: d_1, first_date: '),
        ("store,item,2026-01-03,2026-01-10,2026-01-17,2026-01-24", "date_format: "),
        ("store,item,20260103,20260110,20260117,20260124", "date_format: "),
    ],
)
def test_a_wide_file_is_told_to_be_so(shop: Shop, header: str, how: str) -> None:
    n_cells = header.count(",") - 1
    shop.put(header + "\na,x" + ",1" * n_cells + "\n")
    columns = {**COLUMNS, "date": "date", "sales": "sales"}
    shop.refused(mapping(sales__columns=columns), "the file is wide", "tables.sales.unpivot: ", how)


@pytest.mark.parametrize(
    ("header", "unpivot", "fragments"),
    [
        ("store,item,V1,V2", NUMBERED, ["no column", "unpivot.columns: W*"]),
        ("store,item,W1,Wert", NUMBERED, ["'Wert' says no date", "unpivot.columns"]),
        ("store,item,W1,W01", NUMBERED, ["same date 2026-01-03: 'W1' and 'W01'"]),
        ("store,item,2026-01-03,2026-13-10", DATED, ["'2026-13-10' says no date"]),
        ("shop,item,W1,W2", NUMBERED, ["lacks a column", "'store' (for store)"]),
        ("store,item,2026-01-03,2026-01-10", {**DATED, "date_format": "%d.%m.%Y"}, ["no date by"]),
    ],
)
def test_columns_that_say_no_date(
    shop: Shop, header: str, unpivot: dict[str, Any], fragments: list[str]
) -> None:
    shop.put(header + "\na,x,1,2\n")
    shop.refused(mapping(**WEEKLY, sales__unpivot=unpivot), *fragments)


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"sales__unpivot": {"columns": ["W*"]}}, "say how a column's name gives its date"),
        ({"sales__unpivot": {**NUMBERED, "date_format": "%Y"}}, "say how"),
        ({"sales__unpivot": {**NUMBERED, "first_column": "W"}}, "has no number"),
        ({"sales__unpivot": {**DATED, "date_format": "%Y"}}, "lacks year, month or day"),
        ({"sales__unpivot": DATED, "sales__columns": {**COLUMNS, "date": "d"}}, "from unpivot"),
    ],
)
def test_keys_that_cannot_be_meant(changes: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ValidationError, match=fragment):
        mapping(**{**WEEKLY, **changes})
