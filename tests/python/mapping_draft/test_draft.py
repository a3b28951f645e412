"""A drafted mapping reads its files unedited, and asks about what they do not tell."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mapping_draft.kinds import DAILY, HEADER, KINDS, Kind, days, table
from salescast.cli import cli
from salescast.errors import UserError
from salescast.ingest import ingest
from salescast.lake import Lake
from salescast.mapping import Mapping, load_mapping
from salescast.mapping_draft import Draft, draft_mapping
from salescast.simulate import simulate

TODAY = date(2026, 11, 25)


def drafted(folder: Path, paths: list[Path] | None = None) -> tuple[Draft, Mapping]:
    """A draft for a folder, and the mapping as it loads."""
    draft = draft_mapping(paths or [folder], today=TODAY)
    path = folder.parent / "drafted.yml"
    path.write_text(draft.text, encoding="utf-8")
    return draft, load_mapping(path, folder.parent)


def landed(lake: Lake) -> Counter[tuple[Any, ...]]:
    """Rows of sales; None for a text that is no number."""
    files = [str(path) for path in (lake.root / "raw_sales").rglob("*.parquet")]
    rows = duckdb.execute(
        "select store, department, date, try_cast(sales as double) from read_parquet($files)"
        " where sales is not null",
        {"files": files},
    ).fetchall()
    return Counter(rows)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kinds_of_files(kind: Kind, source: Path, tmp_path: Path) -> None:
    kind.write(source)
    draft, mapping = drafted(source)
    lake = Lake(tmp_path / "lake")
    ingest(source, mapping, lake)
    assert landed(lake) == Counter(kind.rows), draft.text
    for key, value in kind.keys.items():
        assert getattr(mapping, key) == value, f"{key}\n{draft.text}"
    checks = "\n".join(draft.checks)
    for asked in kind.asked:
        assert asked in checks, draft.text
    for certain in kind.is_certain:
        assert certain not in checks, draft.text


DATE_FORMATS = [
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%y",
    "%Y%m%d",
    "%d %b %Y",
    "%Y-%m-%dT%H:%M:%S",
]
NUMBERS: dict[str, Callable[[float], str]] = {
    "plain": "{:g}".format,
    "point": "{:.2f}".format,
    "comma": lambda value: f"{value:.2f}".replace(".", ","),
    "American": "{:,.2f}".format,
    "European": lambda value: f"{value:,.2f}".translate(str.maketrans(",.", ".,")),
    "dollars": "${:,.2f}".format,
    "minus behind": lambda value: f"{-value:.2f}-" if value < 0 else f"{value:.2f}",
    "three digits": "{:.3f}".format,
    "whole, in thousands": lambda value: f"{round(value):,}",
}
TITLES = [
    ("store", "department", "date", "sales"),
    ("Filiale", "Warengruppe", "Datum", "Umsatz"),
    ("Tienda", "Producto", "Fecha", "Importe"),
    ("Shop ID", "SKU", "Order Date", "Net Amount"),
]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    date_format=st.sampled_from(DATE_FORMATS),
    spelling=st.sampled_from(sorted(NUMBERS)),
    titles=st.sampled_from(TITLES),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    step=st.sampled_from([1, 7]),
    n_dates=st.integers(13, 60),
    scale=st.sampled_from([1, 100, 9000]),
    start=st.dates(date(2023, 1, 1), date(2025, 12, 31)),
)
def test_never_wrong_without_a_question(
    tmp_path: Path,
    date_format: str,
    spelling: str,
    titles: tuple[str, ...],
    delimiter: str,
    encoding: str,
    step: int,
    n_dates: int,
    scale: int,
    start: date,
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "in"
    folder.mkdir()
    number, stores = NUMBERS[spelling], ["Köln", "Zürich"]
    rows = [
        (store, "A", day, float(number(v)) if spelling == "plain" else round(v, 2))
        for n, day in enumerate(days(str(start), n_dates, step))
        for k, store in enumerate(stores)
        for v in [scale * (0.31 + ((7 * n + 3 * k) % 11) - (spelling == "minus behind"))]
    ]
    if spelling == "whole, in thousands":
        rows = [(s, d, t, float(round(v))) for s, d, t, v in rows]
    written = [(s, d, t.strftime(date_format), number(v)) for s, d, t, v in rows]
    (folder / "x.csv").write_bytes(table(titles, written, delimiter).encode(encoding))
    draft, mapping = drafted(folder)
    lake = Lake(folder.parent / "lake")
    ingest(folder, mapping, lake)
    if landed(lake) != Counter((s, d, str(t), v) for s, d, t, v in rows):
        assert any(part in "\n".join(draft.checks) for part in ("is taken", "it could be")), (
            draft.text
        )
    assert mapping.grain == ("daily" if step == 1 else "weekly")
    assert mapping.duplicates == "reject"


def test_several_tables(source: Path) -> None:
    simulate(source, stores=2, departments=2, weeks=20, seed=3, grain="daily")
    (source / "notes.txt").write_text("Ask Ann.\n", encoding="utf-8")
    (source / "plan.xlsx").write_bytes(b"PK")
    draft, mapping = drafted(source)
    assert draft.files == {
        "sales": ["sales.csv.gz"],
        "related": ["related.csv"],
        "stores": ["stores.csv"],
        "departments": ["departments.csv"],
    }
    assert dict(draft.left).keys() == {"notes.txt", "plan.xlsx"}
    assert mapping.tables.sales.columns["is_holiday"] == "is_holiday"
    assert mapping.tables.sales.columns["is_stocked_out"] == "is_stocked_out"
    assert mapping.tables.related is not None and mapping.tables.stores is not None
    assert isinstance(mapping.tables.related.series, dict)
    assert list(mapping.tables.related.series) == ["promotion", "temperature", "price_index"]
    assert set(mapping.tables.stores.columns) == {
        *("store", "type", "size", "region", "opened_on", "closed_on")
    }
    result = ingest(source, mapping, Lake(source.parent / "lake"))
    assert {load.table_name for load in result.loads} == {
        *("raw_sales", "raw_related", "raw_stores", "raw_departments")
    }


def test_months_are_told(source: Path) -> None:
    months = [(f"{year}-{month:02}-01", 100) for year in (2024, 2025) for month in range(1, 13)]
    (source / "x.csv").write_text(table(["date", "sales"], months), encoding="utf-8")
    assert any("monthly data cannot be forecast by week" in c for c in drafted(source)[0].checks)
    header = ["sku", *(f"{month}/1/2025" for month in range(1, 13))]
    (source / "x.csv").write_text(table(header, [["a", *range(12)]]), encoding="utf-8")
    assert any("monthly data cannot be forecast by week" in c for c in drafted(source)[0].checks)


def test_totals_among_the_rows_are_left_out(source: Path) -> None:
    totals = [("Total", "all", day, 99.0) for day in sorted({row[2] for row in DAILY})]
    (source / "x.csv").write_text(table(HEADER, [*DAILY, *totals]), encoding="utf-8")
    draft, mapping = drafted(source)
    lake = Lake(source.parent / "lake")
    ingest(source, mapping, lake)
    assert landed(lake) == Counter(DAILY)
    assert any("totals, which are left out?" in check for check in draft.checks)


def test_the_total_of_an_order_in_each_line_is_told(source: Path) -> None:
    orders = [(n // 2, day, "Tea", 10 + n // 2) for n, day in enumerate(days("2026-01-01", 60))]
    header = ["order_id", "date", "product", "total"]
    (source / "x.csv").write_text(table(header, orders), encoding="utf-8")
    assert any("would be counted once a line" in check for check in drafted(source)[0].checks)


def test_titles_stay_comments_and_texts(source: Path) -> None:
    titles = ["store: x", "#dept", 'da"te', "sales\t'{[*&"]
    lines = "\n".join(f"a,b,{row[2]},{row[3]}" for row in DAILY)
    quoted = ",".join('"' + title.replace('"', '""') + '"' for title in titles)
    (source / "- a: [1]*.csv").write_text(f"{quoted}\n{lines}\n", encoding="utf-8")
    draft, mapping = drafted(source)
    assert set(mapping.tables.sales.columns.values()) <= set(titles)
    for line in draft.text.splitlines():
        assert "\t" not in line.split("#")[0] and "\x00" not in line
    ingest(source, mapping, Lake(source.parent / "lake"))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "the folder holds no file"),
        ({"a.xlsx": "PK"}, "no file is CSV or Parquet by its name"),
        ({"a.csv": ""}, "the file is empty"),
        ({"a.csv": "date,sales\n"}, "a header but no row"),
        ({"a.csv": "some words\nand more\n"}, "no delimiter"),
        ({"a.csv": "a,b\nx,y\nz,w\n"}, "no file has a column of dates and a column of numbers"),
        ({"a.csv": "Year,Week,sales\n2026,1,5\n"}, "'Year', 'Week' have to be one column"),
        ({"a.csv": "a,a\n1,2\n"}, "fewer than two columns with a name of their own"),
        ({"a.parquet": "PAR1"}, "not readable Parquet"),
        ({"a.csv": "", "b.csv": "words\n"}, "no file can be read as a table"),
    ],
)  # fmt: skip
def test_what_is_refused(source: Path, files: dict[str, str], told: str) -> None:
    for name, content in files.items():
        (source / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        draft_mapping([source])
    assert told in str(raised.value)


def test_one_row_is_enough(source: Path) -> None:
    (source / "x.csv").write_text("date,sales\n2026-01-03,5\n", encoding="utf-8")
    draft, mapping = drafted(source)
    ingest(source, mapping, Lake(source.parent / "lake"))
    assert any("are they days or weeks?" in check for check in draft.checks)


def test_only_the_beginning_of_a_large_file_is_read(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("salescast.mapping_draft.command.MAX_ROWS", 100)
    (source / "x.csv").write_text(table(HEADER, DAILY), encoding="utf-8")
    draft, _ = drafted(source)
    assert "Read with it: the beginning of x.csv: 100 rows" in draft.text


def test_signs_of_patterns_in_the_name_of_a_parquet_file(source: Path) -> None:
    duckdb.execute(
        "copy (select 's' as store, date '2026-01-01' + d::int as date, d * 1.5 as sales"
        " from range(30) as days (d)) to $path (format parquet)",
        {"path": str(source / "sales[1].parquet")},
    )
    draft, mapping = drafted(source)
    assert draft.files == {"sales": ["sales[1].parquet"]}
    assert mapping.tables.sales.columns == {"store": "store", "date": "date", "sales": "sales"}


def test_the_command(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_HOME", str(source.parent / "home"))
    (source / "my sales.csv").write_text(table(HEADER, DAILY), encoding="utf-8")
    out = source.parent / "shop.yml"

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["map", *map(str, arguments)])

    printed = call(source / "my sales.csv")
    assert printed.exit_code == 0 and yaml.safe_load(printed.stdout)["name"] == "my_sales"
    written = call(source, "--out", out)
    assert "2 lines to check" in written.stdout and f"salescast ingest {source}" in written.stdout
    assert load_mapping(out, source).name == "shop"
    refused = call(source, "--out", out)
    assert refused.exit_code == 2 and "--force to write over it" in refused.stderr
    assert call(source, "--out", out, "--force").exit_code == 0
    assert call(source, "--out", source / "no" / "x.yml").exit_code == 2
    told = json.loads(call(source, "--json").stdout)
    assert told["files"] == {"sales": ["my sales.csv"]} and len(told["checks"]) == 2
    assert not (source.parent / "home" / "lake").exists()


def test_empty_cells_of_a_wide_file_are_asked_about(source: Path) -> None:
    weeks = [date(2026, 1, 3) + timedelta(weeks=n) for n in range(20)]
    lines = ["Store;Article;" + ";".join(f"{day:%d.%m.%Y}" for day in weeks)]
    for n in range(12):
        cells = ["" if (n + m) % 7 == 3 else str(10 + n + m) for m in range(20)]
        lines.append(f"S{n % 3};A{n};" + ";".join(cells))
    (source / "erp.csv").write_text("\n".join(lines) + "\n")
    draft, _ = drafted(source)
    assert any("does no row mean that nothing was sold" in check for check in draft.checks)
