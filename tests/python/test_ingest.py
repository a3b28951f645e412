"""Landing: values unchanged, each row once, and every wrong file told before anything lands."""

from __future__ import annotations

import copy
import gzip
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescast.errors import RunError, UserError
from salescast.ingest import ingest
from salescast.lake import LAKE_SCHEMAS, Lake
from salescast.lake.loads import counted_loads, retract
from salescast.mapping import Mapping, load_mapping

REPO = Path(__file__).parents[2]
MAPPINGS = REPO / "mappings"
WALMART = Path(os.environ.get("SALESCAST_WALMART_DIR", REPO.parent / "shared/data/walmart"))
HEADER = "store,department,date,sales\n"
FRIDAYS = ["2026-01-02", "2026-01-09", "2026-01-16", "2026-01-23"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "home" / "lake")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def retail() -> Mapping:
    return load_mapping("retail", MAPPINGS)


@pytest.fixture(scope="module")
def retail_content() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((MAPPINGS / "retail.yml").read_text())
    return content


@pytest.fixture
def own(tmp_path: Path, retail_content: dict[str, Any]) -> Callable[..., Mapping]:
    """A mapping like retail with some keys changed; `tables__related` goes a level down."""

    def build(**changes: Any) -> Mapping:
        content = copy.deepcopy(retail_content)
        for key, value in changes.items():
            *parents, last = key.split("__")
            place = content
            for parent in parents:
                place = place[parent]
            place[last] = value
        path = tmp_path / "own.yml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return load_mapping(path, MAPPINGS)

    return build


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def sales_rows(dates: list[str], value: str = "1.5") -> str:
    return HEADER + "".join(f"1,7,{day},{value}\n" for day in dates)


def landed(lake: Lake, table: str, *columns: str) -> list[Any]:
    """Rows of a table in landing order, as tuples, or as values for one column."""
    rows = lake.read(table).to_pylist()
    rows.sort(key=lambda row: (row["load_id"], row.get("source_row", 0)))
    return [
        row[columns[0]] if len(columns) == 1 else tuple(row[c] for c in columns) for row in rows
    ]


def assert_refused(source: Path, mapping: Mapping, lake: Lake, *fragments: str) -> UserError:
    """The error of an ingest that must leave the lake as it was."""
    before = {table: lake.files(table) for table in LAKE_SCHEMAS}
    with pytest.raises(UserError) as caught:
        ingest(source, mapping, lake)
    assert {table: lake.files(table) for table in LAKE_SCHEMAS} == before
    assert not list(lake.root.rglob(".*")), "temporary files stay behind"
    for fragment in fragments:
        assert fragment in str(caught.value), str(caught.value)
    assert caught.value.where, "an error says where"
    return caught.value


# What lands


def test_all_tables_land_with_their_origin(source: Path, lake: Lake, retail: Mapping) -> None:
    put(
        source,
        "sales.csv",
        "store,department,date,sales,is_holiday\n 01,a:b,2026-01-02,1.50,TRUE\n",
    )
    put(
        source,
        "related.csv",
        "store,date,price,Promo,note\n01,2026-01-02,1e2,TRUE,x\n01,2026-01-03,NA,false,y\n",
    )
    put(source, "stores.csv", "store,size\n01,10\n")
    put(source, "departments.csv", "department,name\na:b,50%\n")
    put(source, "readme.md", "hello")
    told: list[str] = []
    now = datetime(2026, 11, 22, 13, 14, 15, 123456)
    result = ingest(source, retail, lake, now=now, on_progress=told.append)

    assert [(load.table_name, load.source_file, load.n_rows) for load in result.loads] == [
        ("raw_stores", "stores.csv", 1),
        ("raw_departments", "departments.csv", 1),
        ("raw_related", "related.csv", 4),
        ("raw_sales", "sales.csv", 1),
    ]
    assert result.unmatched == ("readme.md",)
    assert "note" in result.warnings[0]
    assert "reading sales.csv" in told
    row = lake.read("raw_sales").to_pylist()[0]
    load = result.loads[-1]
    assert row == {
        "store": " 01",
        "department": "a:b",
        "date": "2026-01-02",
        "sales": "1.50",
        "is_holiday": "TRUE",
        "is_stocked_out": None,
        "line_id": None,
        "row_digest": row["row_digest"],
        "unreadable_line": None,
        "load_id": load.load_id,
        "loaded_at": row["loaded_at"],
        "source_file": "sales.csv",
        "source_row": 1,
        "schema_version": 1,
    }
    assert load.load_id.startswith("20261122t131415")
    assert landed(lake, "raw_related", "source_row", "series_name", "value", "department") == [
        (1, "price", "1e2", None),
        (1, "Promo", "1", None),
        (2, "price", None, None),
        (2, "Promo", "0", None),
    ]
    assert landed(lake, "raw_stores", "store", "size", "type") == [("01", "10", None)]
    records = {row["load_id"]: row for row in lake.read("raw_loads").to_pylist()}
    assert records[load.load_id]["n_rows"] == 1
    assert records[load.load_id]["mapping_name"] == "retail"
    assert records[load.load_id]["loaded_at"] == row["loaded_at"]
    assert records[load.load_id]["delivery_id"] == result.delivery_id
    assert len(records) == 4


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
awkward = st.sampled_from(
    ("007", " 7 ", "\t", "a,b", 'say "hi"', "x\ny", "x\r\ny", "\r", "%41:", "%", ":", "é日\u2028")
) | st.sampled_from(("NA", "1_0", "\ufeff", "''", "\\", "#", "-", "1e5", "TRUE"))


def csv_line(cells: Sequence[str], always: bool) -> str:
    """One line of CSV, any line break quoted, which the csv module leaves out for some."""
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    if always:
        return ",".join(quoted)
    plain = [not set(cell) & set(',"\r\n') for cell in cells]
    return ",".join(c if p else q for c, q, p in zip(cells, quoted, plain, strict=True))


@st.composite
def csv_files(draw: st.DrawFn) -> list[tuple[list[tuple[str, str]], bytes, bool]]:
    """Files as (stores and departments of the rows, content as text, is it to be packed)."""
    files = []
    for number in range(draw(st.integers(1, 3))):
        pairs = st.tuples(cells | awkward, cells | awkward)
        rows = draw(st.lists(pairs, min_size=1, max_size=10))
        line_end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
        quoted = draw(st.booleans())
        # The value keeps two files from having the same content.
        lines = [
            tuple(HEADER.strip().split(",")),
            *((*r, FRIDAYS[0], f"1.5{number}") for r in rows),
        ]
        text = "".join(csv_line(line, quoted) + line_end for line in lines)
        content = text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig"])))
        files.append((rows, content, draw(st.booleans())))
    return files


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=csv_files())
def test_values_land_unchanged(
    tmp_path_factory: pytest.TempPathFactory,
    retail: Mapping,
    files: list[tuple[list[tuple[str, str]], bytes, bool]],
) -> None:
    folder = tmp_path_factory.mktemp("case")
    for number, (_, content, packed) in enumerate(files):
        if packed:
            put(folder, f"sales_{number}.csv.gz", gzip.compress(content))
        else:
            put(folder, f"sales_{number}.csv", content)
    lake = Lake(folder / "home" / "lake")
    ingest(folder, retail, lake)
    nulls = set(retail.null_texts)
    assert landed(lake, "raw_sales", "store", "department", "sales", "source_row") == [
        (*(None if cell in nulls else cell for cell in pair), f"1.5{number}", source_row)
        for number, (rows, _, _) in enumerate(files)
        for source_row, pair in enumerate(rows, start=1)
    ]


def test_typed_parquet_becomes_plain_text(source: Path, lake: Lake, retail: Mapping) -> None:
    table = pa.table(
        {
            "store": pa.array([1.0, 2.0, None]),
            "department": pa.array([7, 8, 9], pa.int16()),
            "date": pa.array([datetime(2026, 1, 2)] * 3, pa.timestamp("ns")),
            "sales": pa.array([Decimal("1.50"), None, Decimal("-3.00")]),
            "is_holiday": [True, False, None],
        }
    )
    pq.write_table(table, source / "sales.parquet")
    pq.write_table(
        pa.table(
            {
                "store": ["1", "1"],
                "date": pa.array([date(2026, 1, 2), date(2026, 1, 3)]),
                "price": [1e20, float("nan")],
                "half": pa.array([0.1, 16777216.0], pa.float32()),
                "flag": [True, False],
            }
        ),
        source / "related.parquet",
    )
    ingest(source, retail, lake)
    columns = ("source_row", "store", "department", "date", "sales", "is_holiday")
    assert landed(lake, "raw_sales", *columns) == [
        (1, "1", "7", "2026-01-02", "1.50", "true"),
        (2, "2", "8", "2026-01-02", None, "false"),
        (3, None, "9", "2026-01-02", "-3.00", None),
    ]
    assert landed(lake, "raw_related", "date", "series_name", "value") == [
        ("2026-01-02", "price", "100000000000000000000"),
        ("2026-01-02", "half", "0.1"),
        ("2026-01-02", "flag", "1"),
        ("2026-01-03", "price", None),
        ("2026-01-03", "half", "16777216"),
        ("2026-01-03", "flag", "0"),
    ]


def test_other_date_format_and_decimal_sign(
    source: Path, lake: Lake, own: Callable[..., Mapping]
) -> None:
    mapping = own(date_format="%d.%m.%Y", decimal_sign=",")
    rows = ["1;7;02.01.2026;1.234,50", "1;7;3.1.2026;-0,5", "1;7;04.01.2026;12", "1;7;epoch;1.234"]
    put(source, "sales.csv", "\n".join(["store;department;date;sales", *rows]))
    ingest(source, mapping, lake)
    assert landed(lake, "raw_sales", "date", "sales") == [
        ("2026-01-02", "1234.50"),
        ("2026-01-03", "-0.5"),
        ("2026-01-04", "12"),
        ("epoch", "1234"),
    ]


def test_single_bad_rows_are_landed(source: Path, lake: Lake, retail: Mapping) -> None:
    put(source, "sales.csv", sales_rows(FRIDAYS) + "1,7,12-01-02,2\n1,7,2026-02-30,n/a\n")
    ingest(source, retail, lake)
    assert landed(lake, "raw_sales", "date", "sales")[-2:] == [
        ("12-01-02", "2"),
        ("2026-02-30", "n/a"),
    ]


def test_constants_and_null_texts(source: Path, lake: Lake, own: Callable[..., Mapping]) -> None:
    columns = {"store": "store", "date": "date", "sales": "sales"}
    table = {"file": "*.csv", "columns": columns, "constants": {"department": "it's all"}}
    put(source, "s.csv", "store,date,sales\n-,2026-01-02,1\n2,2026-01-02,\n")
    ingest(source, own(tables={"sales": table}, null_texts=["-"]), lake)
    assert landed(lake, "raw_sales", "store", "department", "sales") == [
        (None, "it's all", "1"),
        ("2", "it's all", None),
    ]


def test_listed_series_and_settings(source: Path, lake: Lake, own: Callable[..., Mapping]) -> None:
    series = {"promo": {"column": "P", "known_future": True, "fill": "zero"}, "price": {}}
    mapping = own(tables__related__series=series)
    put(source, "sales.csv", sales_rows(FRIDAYS))
    put(source, "related.csv", "store,department,date,price,P,x\n1,7,2026-01-02,1,TRUE,9\n")
    ingest(source, mapping, lake)
    assert landed(lake, "raw_related", "series_name", "value") == [("promo", "1"), ("price", "1")]
    rows = [tuple(row.values())[2:6] for row in lake.read("settings").to_pylist()]
    assert ("related_series", "promo", "known_future", "true") in rows
    assert ("related_series", "price", "level", "department") in rows
    assert ("related_series", "price", "position", "2") in rows
    of_calendar = ("holiday", "calendar_region")
    own = [row for row in rows if row[0] not in of_calendar]
    assert sorted(own) == sorted(mapping.settings_rows())


def test_series_all_keeps_what_was_registered(source: Path, lake: Lake, retail: Mapping) -> None:
    put(source, "sales.csv", sales_rows(FRIDAYS))
    related = put(source, "related_1.csv", "store,date,z\n1,2026-01-02,1\n")
    first = ingest(source, retail, lake)
    related.unlink()
    put(source, "related_2.csv", "store,department,date,a\n1,7,2026-01-02,1\n")
    second = ingest(source, retail, lake)
    assert first.settings_changed
    assert second.settings_changed
    rows = [
        (row["name"], row["attribute"], row["value"])
        for row in lake.read("settings").to_pylist()
        if row["settings_id"] == second.settings_id and row["section"] == "related_series"
    ]
    assert [r for r in rows if r[1] == "position"] == [
        ("z", "position", "1"),
        ("a", "position", "2"),
    ]
    assert ("z", "level", "store") in rows
    assert ("a", "level", "department") in rows


@pytest.mark.parametrize("folder_name", ["plain", "it's [1] data"])
def test_signs_of_patterns_in_paths(tmp_path: Path, retail: Mapping, folder_name: str) -> None:
    folder = tmp_path / folder_name
    folder.mkdir()
    # As a pattern, the first name would be the second file.
    put(folder, "sales[1]*.csv", sales_rows(FRIDAYS[:1]))
    put(folder, "sales1x.csv", sales_rows(FRIDAYS))
    lake = Lake(tmp_path / "h[o]me load_id=1" / "lake")
    ingest(folder, retail, lake)
    assert sorted(landed(lake, "raw_sales", "date")) == sorted([FRIDAYS[0], *FRIDAYS])


def test_a_large_file_keeps_its_row_numbers(source: Path, lake: Lake, retail: Mapping) -> None:
    with duckdb.connect() as con:
        con.execute(
            "copy (select i + 1 as store, 1 as department, date '2026-01-02' as date, 2 as sales"
            " from range(300000) t(i)) to $p (header)",
            {"p": str(source / "sales.csv")},
        )
        ingest(source, retail, lake)
        wrong = con.execute(
            "select count(*), count_if(store <> source_row::varchar)"
            f" from ({lake.scan_sql('raw_sales')})"
        ).fetchone()
    assert wrong == (300_000, 0)


# Once, again, and back


def test_same_content_is_not_landed_twice(source: Path, lake: Lake, retail: Mapping) -> None:
    put(source, "sales.csv", sales_rows(FRIDAYS))
    first = ingest(source, retail, lake)
    put(source, "sales_copy.csv.gz", gzip.compress(sales_rows(FRIDAYS).encode()))
    again = ingest(source, retail, lake)
    assert again.loads == ()
    assert [(s.source_file, s.load_id) for s in again.skipped] == [
        ("sales.csv", first.loads[0].load_id),
        ("sales_copy.csv.gz", first.loads[0].load_id),
    ]
    assert first.settings_changed
    assert not again.settings_changed
    assert again.settings_id == first.settings_id
    assert len(lake.files("settings")) == 1
    assert len(landed(lake, "raw_sales", "date")) == 4


def test_changed_settings_land_without_new_files(
    source: Path, lake: Lake, retail: Mapping, own: Callable[..., Mapping]
) -> None:
    put(source, "sales.csv", sales_rows(FRIDAYS))
    first = ingest(source, retail, lake)
    zero = own(missing_means="zero")
    assert_refused(source, zero, lake, "missing_means becomes zero and was unknown", "--yes")
    again = ingest(source, zero, lake, decide=lambda _: True)
    assert again.loads == ()
    assert again.settings_changed
    assert again.settings_id > first.settings_id


def test_ids_sort_by_command_also_when_the_clock_goes_back(
    source: Path, lake: Lake, retail: Mapping
) -> None:
    put(source, "sales.csv", sales_rows(FRIDAYS[:1]))
    first = ingest(source, retail, lake, now=datetime(2026, 11, 22))
    put(source, "sales.csv", sales_rows(FRIDAYS[:2]))
    second = ingest(source, retail, lake, now=datetime(2020, 1, 1))
    assert second.loads[0].load_id > first.loads[0].load_id


def test_retract_and_land_again(source: Path, lake: Lake, retail: Mapping) -> None:
    put(source, "sales.csv", sales_rows(FRIDAYS))
    first = ingest(source, retail, lake).loads[0].load_id
    retract(first, lake, "wrong year")
    row = lake.read("raw_retractions").to_pylist()[0]
    assert (row["load_id"], row["reason"]) == (first, "wrong year")
    with pytest.raises(UserError, match="is retracted already"):
        retract(first, lake, "again")
    second = ingest(source, retail, lake)
    assert second.skipped == ()
    with pytest.raises(UserError) as caught:
        retract("20200101t000000000000-0000", lake, "typing error")
    assert "does not exist" in str(caught.value)
    assert second.loads[0].load_id in str(caught.value)
    assert first not in str(caught.value)


def test_one_file_alone(source: Path, lake: Lake, retail: Mapping) -> None:
    stores = put(source, "stores.csv", "store\n1\n")
    assert_refused(stores, retail, lake, "no file matches the sales pattern")
    ingest(put(source, "sales.csv", sales_rows(FRIDAYS)), retail, lake)
    assert ingest(stores, retail, lake).loads[0].table_name == "raw_stores"
    other = put(source, "notes.csv", "a\n1\n")
    assert_refused(other, retail, lake, "no file matches the sales pattern", "notes.csv")


# One process loads the libraries and then a fork of it is killed at each of the renames.
KILLER = """
    import os, signal, sys
    from pathlib import Path
    from salescast.ingest import ingest
    from salescast.lake import Lake
    from salescast.mapping import load_mapping

    rename = Path.replace

    def replace(self, target):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, target)

    Path.replace = replace
    mapping = load_mapping("retail", Path(sys.argv[1]))
    for left, home in enumerate(map(Path, sys.argv[2:]), start=1):
        child = os.fork()
        if not child:
            ingest(home / "in", mapping, Lake(home / "lake"))
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
"""
N_RENAMES = 4


@pytest.fixture(scope="module")
def killed_homes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Homes in which an ingest was killed at the first rename, the second, and so on."""
    homes = [tmp_path_factory.mktemp("killed") for _ in range(N_RENAMES)]
    for home in homes:
        (home / "in").mkdir()
        put(home / "in", "stores.csv", "store\n1\n2\n")
        put(home / "in", "sales.csv", sales_rows(FRIDAYS))
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLER), MAPPINGS, *homes],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    return homes


@pytest.mark.parametrize("nth_rename", range(1, N_RENAMES + 1))
def test_killed_between_renames(killed_homes: list[Path], retail: Mapping, nth_rename: int) -> None:
    home = killed_homes[nth_rename - 1]
    source, lake = home / "in", Lake(home / "lake")
    n_published = sum(len(lake.files(table)) for table in LAKE_SCHEMAS)
    assert n_published == nth_rename - 1, "two files of rows, settings, and the record"
    assert not lake.files("raw_loads"), "the record comes last"
    assert counted_loads(lake) == []

    result = ingest(source, retail, lake)
    records = lake.read("raw_loads").to_pylist()
    assert sorted((r["table_name"], r["n_rows"]) for r in records) == [
        ("raw_sales", 4),
        ("raw_stores", 2),
    ]
    assert {record["delivery_id"] for record in records} == {result.delivery_id}
    loads = {record["load_id"]: record["loaded_at"] for record in records}
    rows = [row for row in lake.read("raw_sales").to_pylist() if row["load_id"] in loads]
    assert [row["date"] for row in rows] == FRIDAYS, "what was left of the killed one has no record"
    assert {row["loaded_at"] for row in rows} <= set(loads.values())
    assert len(lake.files("settings")) == 1
    assert not list(lake.root.rglob(".*.tmp"))
    assert ingest(source, retail, lake).loads == ()


# What is refused

GOOD = sales_rows(FRIDAYS)
BAD_FILES: list[tuple[str, str | bytes, list[str]]] = [
    ("sales.csv", "", ["is empty"]),
    ("sales.csv", "\ufeff\n", ["is empty"]),
    ("sales.csv", HEADER, ["header but no row"]),
    ("sales.csv", HEADER.strip(), ["header but no row"]),
    ("sales.csv", "\n" + GOOD, ["line 2 looks like the header", "skip_lines: 1"]),
    ("sales.csv", "\na\n" + GOOD.split("\n", 1)[1], ["first line is blank"]),
    (
        "sales.csv",
        GOOD.replace("department", "Departement"),
        ["'department' (for department)", "store, Departement, date, sales", "'Departement'"],
    ),
    ("sales.csv", GOOD.replace("department", "store", 1), ["more than once: store"]),
    ("sales.csv", HEADER + "1,7,1\n" * 3, ["most lines have 3 values", "has 4", "line 2"]),
    ("stores.csv", "store,size\n1,2\n3\n", ["a row has 1 values", "header has 2", "line 3"]),
    ("sales.csv", GOOD + '1,"7,2026-01-30,1\n', ["quote is not closed"]),
    ("sales.csv", GOOD.replace("\n", "\r\n", 3) + "1,7,2026-01-30,1\n", ["line ends"]),
    ("sales.csv", GOOD.encode() + b"caf\xe9,7,2026-01-30,1\n", ["not UTF-8", "line 6", "byte 108"]),
    ("sales.csv", GOOD.encode("utf-16"), ["UTF-16", "line 1"]),
    ("sales.csv", GOOD.encode("utf-16-le"), ["UTF-16", "line 1"]),
    ("sales.csv", '"a\nb",' + GOOD.replace("\n", "\r\n"), ["line break", "'a\\nb'"]),
    ("sales.csv", GOOD.encode() + b"caf\xc3", ["not UTF-8", "line 6"]),
    ("sales.csv", gzip.compress(GOOD.encode(), mtime=0), ["is gzip although"]),
    ("sales.csv", b"PK\x03\x04rest", ["is zip although"]),
    ("sales.csv.gz", GOOD, ["not valid gzip"]),
    ("sales.csv.gz", gzip.compress(GOOD.encode(), mtime=0)[:-12], ["ends too early"]),
    ("sales.csv.gz", gzip.compress(GOOD.encode() + b"caf\xe9", mtime=0), ["not UTF-8"]),
    ("sales.parquet", b"PAR1 something PAR1", ["not readable Parquet"]),
    ("sales.parquet", GOOD, ["not readable Parquet"]),
]


@pytest.mark.parametrize(("name", "content", "fragments"), BAD_FILES, ids=lambda v: str(v)[:30])
def test_unreadable_files(
    source: Path, lake: Lake, retail: Mapping, name: str, content: str | bytes, fragments: list[str]
) -> None:
    # Readable files of the same command must not land either.
    put(source, "stores.csv", "store\n1\n")
    put(source, "sales.csv", GOOD) if name == "stores.csv" else None
    put(source, name, content)
    assert_refused(source, retail, lake, name, *fragments)


def test_bytes_are_placed_far_into_a_file(source: Path, lake: Lake, retail: Mapping) -> None:
    row = b"1,7,2026-01-02,1.5\n"
    content = HEADER.encode() + row * 200_000 + "é,7,2026-01-02,1\n".encode() * 3
    put(source, "sales.csv", content + b"\xe9\n")
    assert_refused(source, retail, lake, "line 200005", f"byte {len(content) + 1}")


def test_empty_parquet(source: Path, lake: Lake, retail: Mapping) -> None:
    empty = pa.table({name: pa.array([], pa.string()) for name in HEADER.strip().split(",")})
    pq.write_table(empty, source / "sales.parquet")
    assert_refused(source, retail, lake, "header but no row")


def test_missing_source_and_no_sales_file(
    tmp_path: Path, source: Path, lake: Lake, retail: Mapping
) -> None:
    assert_refused(tmp_path / "nowhere", retail, lake, "no such file or folder", "nowhere")
    assert_refused(source, retail, lake, "no file matches the sales pattern", "found: nothing")
    put(source, "Umsatz.csv", GOOD)
    assert_refused(source, retail, lake, "sales*.csv", "found: Umsatz.csv", "--mapping")


def test_a_file_of_two_tables_and_other_kinds(
    source: Path, lake: Lake, own: Callable[..., Mapping]
) -> None:
    put(source, "sales.csv", GOOD)
    both = own(tables__stores__file="s*.csv")
    assert_refused(source, both, lake, "more than one table: sales and stores", "sales.csv")
    put(source, "sales.xlsx", "x")
    assert_refused(
        source, own(tables__sales__file="sales*"), lake, "spreadsheet", "CSV UTF-8", "sales.xlsx"
    )


def test_dates_that_do_not_fit(source: Path, lake: Lake, retail: Mapping) -> None:
    put(source, "sales.csv", sales_rows(["31.01.2026", "1.2.2026", "02.02.2026", "2026-01-02"]))
    assert_refused(
        source,
        retail,
        lake,
        "'31.01.2026', '1.2.2026', '02.02.2026'",
        "column 'date', from row 1",
        "set date_format",
        "'%d.%m.%Y'",
    )
    put(source, "sales.csv", sales_rows(["", "NA", FRIDAYS[0]]))
    assert_refused(source, retail, lake, "most dates of the file are empty")


def test_numbers_that_do_not_fit(source: Path, lake: Lake, retail: Mapping) -> None:
    rows = "".join(f'1,7,{day},"1.234,5{i}"\n' for i, day in enumerate(FRIDAYS))
    put(source, "sales.csv", HEADER + rows)
    assert_refused(
        source, retail, lake, "'1.234,50', '1.234,51'", "decimal_sign: ','", "column 'sales'"
    )
    put(source, "sales.csv", sales_rows(FRIDAYS, '"1,234.50 net"'))
    assert "set decimal_sign, " in str(assert_refused(source, retail, lake, "'1,234.50 net'"))
    put(source, "sales.csv", sales_rows(FRIDAYS, "NA"))
    assert_refused(source, retail, lake, "no value of sales at all")


def test_series_that_do_not_fit(source: Path, lake: Lake, own: Callable[..., Mapping]) -> None:
    put(source, "sales.csv", GOOD)
    put(source, "related.csv", "store,date,p,note\n1,2026-01-02,1,x\n1,2026-01-03,2,y\n")
    listed = own(tables__related__series={"note": {}})
    assert_refused(source, listed, lake, "most values of note are no numbers", "'x', 'y'")
    lacking = own(tables__related__series={"price": {"column": "P"}})
    assert_refused(
        source, lacking, lake, "'P' (for series.price)", "tables.related.series.price: 'p'"
    )
    put(source, "related.csv", "store,date,note\n1,2026-01-02,x\n")
    assert_refused(source, own(), lake, "no numeric column", "store, date, note")


@pytest.mark.parametrize(
    ("label", "ends_on", "fix"),
    [
        ("end", "saturday", "week_ends_on: friday"),
        ("start", "friday", "week_ends_on: thursday"),
    ],
)
def test_weekly_dates_on_another_weekday(
    source: Path, lake: Lake, own: Callable[..., Mapping], label: str, ends_on: str, fix: str
) -> None:
    put(source, "sales.csv", sales_rows([*FRIDAYS, "2026-01-03"]))
    mapping = own(grain="weekly", week_label=label, week_ends_on=ends_on)
    assert_refused(source, mapping, lake, "most dates are a friday", fix, "column 'date'")


def test_weekly_dates_that_fit(source: Path, lake: Lake, own: Callable[..., Mapping]) -> None:
    put(source, "sales.csv", sales_rows(FRIDAYS))
    ingest(source, own(grain="weekly", week_label="start", week_ends_on="thursday"), lake)
    assert landed(lake, "raw_sales", "date") == FRIDAYS


def test_grain_that_does_not_fit(source: Path, lake: Lake, own: Callable[..., Mapping]) -> None:
    put(source, "sales.csv", sales_rows([f"2026-01-{day:02d}" for day in range(1, 15)]))
    assert_refused(source, own(grain="weekly"), lake, "fall on 7 weekdays", "set grain: daily")
    put(source, "sales.csv", sales_rows(FRIDAYS))
    assert "grain: weekly" in ingest(source, own(), lake).warnings[0]


def test_week_end_cannot_change_once_forecasts_exist(
    source: Path, lake: Lake, retail: Mapping, own: Callable[..., Mapping]
) -> None:
    put(source, "sales.csv", GOOD)
    ingest(source, retail, lake)
    sunday = own(week_ends_on="sunday")
    assert_refused(source, sunday, lake, "week_ends_on becomes sunday and was saturday", "--yes")
    ingest(source, sunday, lake, decide=lambda _: True)
    schema = LAKE_SCHEMAS["forecasts"]
    row = {name: "x" if kind == "varchar" else 1 for name, kind in schema.items()}
    week = {"cutoff_date": date(2026, 1, 4), "week_end_date": date(2026, 1, 11)}
    lake.append("forecasts", [{**row, **week}])
    assert_refused(
        source, retail, lake, "week_ends_on is saturday", "end on sunday", "SALESCAST_HOME"
    )
    ingest(source, sunday, lake)


def test_too_little_memory_is_no_fault_of_the_file(
    source: Path, lake: Lake, retail: Mapping
) -> None:
    put(source, "sales.csv", GOOD)
    with pytest.raises(RunError, match="not enough memory"):
        ingest(source, retail, lake, memory_limit="1MB")
    assert not lake.files("raw_sales")


# The real data


@pytest.mark.skipif(
    not (WALMART / "train.csv.gz").exists(),
    reason=f"NO WALMART DATA in {WALMART}: set SALESCAST_WALMART_DIR to test on the real files",
)
def test_walmart(lake: Lake) -> None:
    walmart = load_mapping("walmart", MAPPINGS)
    result = ingest(WALMART, walmart, lake)
    assert {load.table_name: load.n_rows for load in result.loads} == {
        "raw_stores": 45,
        "raw_related": 8_190 * 10,
        "raw_sales": 421_570,
    }
    assert "test.csv.gz" in result.unmatched
    with duckdb.connect() as con:
        sales = con.execute(
            "select count(*), sum(sales::decimal(18, 2)), max(source_row),"
            f" count(distinct source_row) from ({lake.scan_sql('raw_sales')})"
        ).fetchone()
        first = con.execute(
            "select store, department, date, sales, is_holiday from"
            f" ({lake.scan_sql('raw_sales')}) where source_row = 1"
        ).fetchone()
        series = con.execute(
            "select series_name, count(*), count(value), count(distinct source_row),"
            f" count(department) from ({lake.scan_sql('raw_related')}) group by 1"
        ).fetchall()
        stores = con.execute(
            f"select type, count(*), min(size::int) from ({lake.scan_sql('raw_stores')}) group by 1"
        ).fetchall()
    assert sales == (421_570, Decimal("6737218987.11"), 421_570, 421_570)
    assert first == ("1", "1", "2010-02-05", "24924.5", "FALSE")
    assert {row[0] for row in series} == set(walmart.tables.related.series)  # type: ignore[union-attr]
    assert {row[1:2] + row[3:] for row in series} == {(8_190, 8_190, 0)}
    n_values = {row[0]: row[2] for row in series}
    assert n_values["is_holiday"] == 8_190
    assert n_values["markdown_2"] == 4_050 - 1_129
    assert n_values["cpi"] == n_values["unemployment"] == 8_190 - 585
    assert sorted(row[:2] for row in stores) == [("A", 22), ("B", 17), ("C", 6)]
    assert min(row[2] for row in stores) == 34_875
    assert ingest(WALMART, walmart, lake).loads == ()
