"""Cases that an ingest alone answers: what lands, what is said, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from support.cases import CASES
from support.home import Home
from support.sources import write_csv

from .commands import ingest, landed


@dataclass(frozen=True)
class Landing:
    """What has landed of the lines that fit their header, and what is said beside.

    Attributes:
        total: Sum of the sales.
        said: Parts of what the command says.
    """

    n_rows: int
    first: str
    last: str
    total: float
    said: tuple[str, ...] = ()


LANDINGS = {
    "excel_sep_line": Landing(60, "2025-10-04", "2026-11-21", 600),
    "totals_line_ragged": Landing(
        60, "2025-10-04", "2026-11-21", 600, ("1 line set aside", "line 62: 'Total,600'")
    ),
    "tz_parquet_us": Landing(490, "2025-07-20", "2026-11-21", 4_900),
    "unused_columns_twice": Landing(60, "2025-10-04", "2026-11-21", 600),
}
"""By case, where the files go as they are with the mapping as it is."""


def in_all(home: Home) -> Any:
    """Rows that could be read, first and last date, and sum of the sales."""
    ((n_rows, first, last, total),) = landed(
        home,
        "select count(*) filter (unreadable_line is null), min(date), max(date),"
        " sum(cast(sales as double)) from sales",
    )
    return n_rows, first, last, pytest.approx(total)


def mended(case: str, to: Path, *, of_sales: dict[str, Any] | None = None, **keys: Any) -> Path:
    """The mapping of a case with keys that a message told to set."""
    content = yaml.safe_load((CASES / case / "mapping.yml").read_text(encoding="utf-8"))
    content["tables"]["sales"] |= of_sales or {}
    to.write_text(yaml.safe_dump(content | keys), encoding="utf-8")
    return to


@pytest.mark.parametrize("case", LANDINGS)
def test_a_file_as_it_is_lands_whole(home: Home, case: str) -> None:
    expected = LANDINGS[case]
    said = ingest(home, case)
    assert in_all(home) == (expected.n_rows, expected.first, expected.last, expected.total)
    for part in expected.said:
        assert part in said


def test_the_line_that_is_no_row_is_kept_as_its_text(home: Home) -> None:
    ingest(home, "totals_line_ragged")
    aside = "select unreadable_line, sales from sales where unreadable_line is not null"
    assert landed(home, aside) == [("Total,600", None)]


def test_latin1(home: Home, tmp_path: Path) -> None:
    said = ingest(home, "latin1", code=2)
    assert "the file is not UTF-8 text" in said
    assert "set tables.sales.encoding: windows-1252 in" in said
    assert not home.lake.names("raw_sales")
    ingest(home, "latin1", mended("latin1", tmp_path / "m.yml", of_sales={"encoding": "cp1252"}))
    assert in_all(home) == (60, "2025-10-04", "2026-11-21", 600)
    assert landed(home, "select distinct store from sales") == [("Köln",)]


def test_mixed_date_formats(home: Home, tmp_path: Path) -> None:
    formats = ["%m-%d-%Y", "%m/%d/%Y"]
    said = ingest(home, "mixed_date_formats", code=2)
    assert f"set date_format: {formats} in" in said
    assert not home.lake.names("raw_sales")
    mapping = mended("mixed_date_formats", tmp_path / "m.yml", date_format=formats)
    ingest(home, "mixed_date_formats", mapping)
    assert in_all(home) == (1_000, "2019-01-01", "2019-03-30", 322_966.749)
    # A day that is read as a month would move rows between months.
    months = duckdb.execute(
        "select lpad(regexp_extract(Date, '^([0-9]+)[-/]', 1), 2, '0'), count(*)"
        " from read_csv(?, all_varchar = true) group by 1 order by 1",
        [str(CASES / "mixed_date_formats" / "supermarket.csv")],
    ).fetchall()
    found = "select substr(date, 6, 2), count(*) from sales group by 1 order by 1"
    assert landed(home, found) == months


@pytest.mark.parametrize("folder", ["monthly_advice", "monthly_advice/followed"])
def test_monthly_advice(home: Home, folder: str) -> None:
    said = ingest(home, folder, code=2)
    assert "the sales have one date a month" in said
    assert "monthly data cannot be forecast by week" in said
    assert "grain" not in said
    assert not home.lake.names("raw_sales")


def test_number_spellings(home: Home) -> None:
    said = ingest(home, "number_spellings")
    numbers = {
        **dict.fromkeys(("thousands", "space", "nbsp", "swiss", "dollar", "euro"), 1_234.5),
        **dict.fromkeys(("paren", "trailminus"), -12.5),
        "uniminus": -5.0,
        **dict.fromkeys(("spaces", "tab", "nbspend"), 15.5),
    }
    found = landed(home, "select distinct store, sales from sales where sales <> '10'")
    read = {store: text for store, text in found}
    assert {store: float(read[store]) for store in numbers} == numbers
    # What may mean two numbers is left as it is, and told.
    assert read["commadec"] == "12,5"
    assert "88 of 3,157 values of sales are no numbers and are set aside, such as '12,5'" in said


def test_offset_timestamps_csv(home: Home) -> None:
    ingest(home, "offset_timestamps_csv")
    assert in_all(home) == (980, "2025-07-20", "2026-11-21", 9_800)
    weeks = landed(
        home,
        "select cast(date as date) + 6 - cast(dayofweek(cast(date as date)) as integer) as week,"
        " sum(cast(sales as double)) from sales group by week",
    )
    assert [total for _, total in weeks] == [140] * 70


def test_two_mappings_one_home(home: Home) -> None:
    ingest(home, "two_mappings_one_home/step1")
    said = ingest(home, "two_mappings_one_home/step2", code=2)
    assert "nothing was landed: this delivery needs a word from you" in said
    assert "grain becomes weekly and was daily" in said
    assert "for all 420 rows of sales that are landed too" in said
    assert in_all(home) == (420, "2025-07-20", "2026-09-12", 4_200)


def test_mapping_mended_after_landing(home: Home, tmp_path: Path) -> None:
    """The case has no file: one with two columns that may be the sales."""
    folder = tmp_path / "in"
    rows = [("s", "d", f"2026-01-{day:02}", day, 10 * day) for day in range(1, 29)]
    write_csv(folder / "sales.csv", ("store", "department", "date", "units", "money"), rows)
    content = {"grain": "daily", "week_ends_on": "saturday"}
    for n, column in enumerate(("units", "money")):
        columns = {"store": "store", "department": "department", "date": "date", "sales": column}
        tables = {"sales": {"file": "sales.csv", "columns": columns}}
        (tmp_path / "m.yml").write_text(yaml.safe_dump(content | {"tables": tables}))
        said = home.command("ingest", folder, "--mapping", tmp_path / "m.yml", "--yes")
        assert ("lands anew and replaces what it was" in said) == bool(n)
    old, new = sorted(home.landed("raw_loads", "load_id, replaces_load_id"))
    assert new[1] == old[0]
    sums = "select load_id, sum(cast(sales as double)) from sales group by 1 order by 1"
    assert landed(home, sums) == [(old[0], 406), (new[0], 4_060)]
