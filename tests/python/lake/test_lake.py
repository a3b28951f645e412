"""The lake: whole files or none, typed tables, nothing overwritten."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salescast.errors import RunError
from salescast.lake import LAKE_SCHEMAS, Lake, arrow_schema, sortable_id

MOMENT = datetime(2026, 11, 22, 13, 14, 15, 123000)
CHAMPION = {
    "model_id": "deepar",
    "trained_model_id": "t1",
    "action": "set",
    "reason": "best",
    "set_at": MOMENT,
}
REST = "null as trained_model_id, 'set' as action"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "home" / "lake")


def types_in(path: Path) -> list[str]:
    with duckdb.connect() as con:
        rows = con.execute("describe from read_parquet($p)", {"p": str(path)}).fetchall()
    return [row[1] for row in rows]


def everything_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


@contextmanager
def files_no_larger_than(n_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("table", list(LAKE_SCHEMAS))
def test_every_table_can_be_read_before_its_first_file(lake: Lake, table: str) -> None:
    assert lake.read(table).schema == arrow_schema(table)
    assert lake.read(table).num_rows == 0
    assert not lake.has_rows(table)
    assert list(LAKE_SCHEMAS[table])[-1] == "schema_version"


def test_files_of_before_a_column_was_added_are_read(lake: Lake) -> None:
    schema = arrow_schema("champions")
    old = {"model_id": ["old"], "reason": ["best"], "set_at": [MOMENT], "schema_version": [1]}
    lake.folder("champions").mkdir(parents=True)
    fields = [field for field in schema if field.name in old]
    pq.write_table(pa.table(old, pa.schema(fields)), lake.folder("champions") / "a.parquet")
    for models in (["old"], ["old", "deepar"]):
        assert lake.read("champions")["model_id"].to_pylist() == models
        assert lake.read("champions")["trained_model_id"].to_pylist()[0] is None
        with duckdb.connect() as con:
            found = con.sql(lake.scan_sql("champions")).order("model_id desc").fetchall()
        assert [row[0] for row in found] == models
        assert found[0][1:3] == (None, None)
        lake.append("champions", [CHAMPION], f"b-{len(models)}")


def test_rows_come_back_with_types_and_version(lake: Lake) -> None:
    path = lake.append("champions", [CHAMPION], "first")
    assert path == lake.root / "champions" / "first.parquet"
    assert lake.has_file("champions", "first")
    assert lake.read("champions").to_pylist() == [{**CHAMPION, "schema_version": 1}]
    assert types_in(path) == ["VARCHAR"] * 4 + ["TIMESTAMP", "INTEGER"]


def test_arrow_batches_and_queries_are_cast_to_the_table(lake: Lake) -> None:
    table = pa.table(
        {
            "kind": ["forecast"],
            "weeks_back": pa.array([3], pa.int64()),
            "request_id": ["r"],
            "cutoff_date": [None],
            "requested_at": [MOMENT],
            "horizon_weeks": pa.array([39], pa.int8()),
        }
    )
    lake.append("requested_cutoffs", table.to_reader())
    with duckdb.connect() as con:
        lake.append_query(
            con,
            "requested_cutoffs",
            "select 'q' as request_id, $at as requested_at, '2012-07-27' as cutoff_date,"
            " 0 as weeks_back, 'backtest' as kind, 39 as horizon_weeks",
            {"at": MOMENT},
        )
    rows = sorted(lake.read("requested_cutoffs").to_pylist(), key=lambda row: row["request_id"])
    assert [row["cutoff_date"] for row in rows] == [date(2012, 7, 27), None]
    assert [row["weeks_back"] for row in rows] == [0, 3]
    wanted = ["VARCHAR", "TIMESTAMP", "DATE", "INTEGER", "VARCHAR", "INTEGER", "INTEGER"]
    assert [types_in(path) for path in lake.files("requested_cutoffs")] == [wanted, wanted]


def test_wrong_columns_are_refused_by_name(lake: Lake) -> None:
    missing = "missing: action, set_at, trained_model_id; unknown: sat_at"
    with pytest.raises(RunError, match=missing):
        lake.append("champions", pa.table({"model_id": ["a"], "reason": ["b"], "sat_at": [1]}))
    with duckdb.connect() as con, pytest.raises(RunError, match="unknown: x"):
        lake.append_query(con, "champions", "select 1 as x")
    with pytest.raises(RunError, match="no table 'champion'"):
        lake.read("champion")
    assert everything_in(lake.root) == []


def test_a_landed_file_is_never_overwritten(lake: Lake) -> None:
    lake.append("champions", [CHAMPION], "once")
    with pytest.raises(RunError, match="already in the lake"):
        lake.append("champions", [{**CHAMPION, "model_id": "other"}], "once")
    assert lake.read("champions")["model_id"].to_pylist() == ["deepar"]


def test_readers_see_only_published_files(lake: Lake) -> None:
    first = lake.stage("champions", [CHAMPION], "first")
    second = lake.stage("champions", [CHAMPION], "second")
    assert first.path.exists(), "a second write must not clean a file that is being written"
    assert lake.read("champions").num_rows == 0
    first.publish()
    second.discard()
    assert lake.read("champions").num_rows == 1
    assert everything_in(lake.root) == ["first.parquet"]


def test_leftovers_of_a_killed_writer_are_ignored_and_then_removed(lake: Lake) -> None:
    lake.folder("champions").mkdir(parents=True)
    leftover = lake.folder("champions") / ".half.tmp"
    leftover.write_bytes(b"PAR1 half")
    hidden = lake.folder("champions") / ".half.parquet"
    hidden.write_bytes(b"PAR1 half")
    assert lake.read("champions").num_rows == 0
    lake.append("champions", [CHAMPION])
    assert not leftover.exists()
    assert lake.read("champions").num_rows == 1


@pytest.mark.parametrize("way", ["arrow", "query"])
def test_a_full_disk_is_told_and_leaves_nothing(lake: Lake, way: str) -> None:
    lake.append("champions", [CHAMPION], "before")
    noise = (
        f"select md5(i::varchar) as model_id, md5((-i)::varchar) as reason, {REST}, now() as set_at"
    )
    query = f"{noise} from range(200000) t(i)"
    with duckdb.connect() as con:
        data = con.sql(query).to_arrow_table()
        with files_no_larger_than(100_000), pytest.raises(RunError, match="disk is full"):
            if way == "arrow":
                lake.append("champions", data, "big")
            else:
                lake.append_query(con, "champions", query, name="big")
    assert everything_in(lake.root) == ["before.parquet"]
    lake.append("champions", data, "big")
    assert lake.read("champions").num_rows == 200_001


def test_paths_with_signs_of_patterns_are_taken_literally(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "it's [a] *home* load_id=2026" / "lake")
    lake.append("champions", [CHAMPION])
    with duckdb.connect() as con:
        lake.append_query(
            con, "champions", f"select 'b' model_id, 'c' reason, {REST}, now() set_at"
        )
    assert lake.read("champions").num_rows == 2


def test_ids_sort_by_time_in_utc() -> None:
    east = timezone(timedelta(hours=9))
    assert sortable_id(datetime(2026, 1, 1, 8, tzinfo=east)).startswith("20251231t230000000000-")
    moments = [MOMENT + timedelta(microseconds=i) for i in range(50)]
    ids = [sortable_id(moment.replace(tzinfo=UTC)) for moment in moments]
    assert ids == sorted(ids)
    assert all(len(text) == 26 and text == text.lower() for text in ids)


@pytest.mark.parametrize("name", ["../out", "", ".hidden", "a/b"])
def test_names_cannot_leave_the_folder(lake: Lake, name: str) -> None:
    if name:
        with pytest.raises(RunError, match="no name for a file"):
            lake.append("champions", [CHAMPION], name)
    else:
        assert lake.append("champions", [CHAMPION], name).stem
