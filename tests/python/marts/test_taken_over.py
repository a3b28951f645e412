"""What a published file takes over of the one before: the same rows as if all were read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescast.errors import RunError
from salescast.marts.publish import UnloadedTable, publish_files
from salescast.marts.taken_over import MAX_CHANGED_RUNS, stamps_query, take_over

COLUMNS = {
    "run_id": "string",
    "week_end_date": "date",
    "inputs_digest": "bigint",
    "item_id": "string",
    "actual": "double",
}
FIRST = date(2026, 1, 3)

Facts = Mapping[tuple[str, int], tuple[int, int]]
"""By run and number of the week: the digest, and the number of items."""


@dataclass
class Warehouse:
    """A warehouse that bills by the row, with one table.

    n_read: Rows that the last publishing has read.
    """

    folder: Path
    origin: str = "Copied from s3://a/1"
    columns: dict[str, str] = field(default_factory=lambda: dict(COLUMNS))
    n_read: int = 0

    @property
    def marts(self) -> Path:
        return self.folder / "marts.duckdb"

    def publish(self, facts: Facts, more: str | None = None) -> list[tuple[Any, ...]]:
        """The published rows, after the table holds some facts, and those of a query."""
        with duckdb.connect() as connection:
            connection.execute(
                "create table fact (run_id varchar, week_end_date date, inputs_digest bigint,"
                " item_id varchar, actual double)"
            )
            for (run_id, week), (digest, n_items) in facts.items():
                connection.execute(
                    "insert into fact select $run, $week, $digest, 'i' || i, $digest + i / 8"
                    " from range($items) as items(i)",
                    {
                        "run": run_id,
                        "week": FIRST + timedelta(weeks=week),
                        "digest": digest,
                        "items": n_items,
                    },
                )
            if more:
                connection.execute(f"insert into fact {more}")
            stamps = self._unload(connection, stamps_query("fact"), "stamps")
            taken_over = take_over(
                self.marts,
                "shop_marts",
                "fact",
                columns=self.columns,
                origin=self.origin,
                stamps=stamps,
                config={},
                to=self.folder / "taken_over.parquet",
            )
            condition = taken_over.condition if taken_over else "true"
            rows = f"select {', '.join(self.columns)} from fact where {condition or 'false'}"
            paths = self._unload(connection, rows, "rows")
            counted = connection.execute(f"select count(*) from ({rows})").fetchone()
            assert counted is not None
            self.n_read = counted[0]
            expected = connection.execute(f"select {', '.join(self.columns)} from fact").fetchall()
        paths += [taken_over.rows] if taken_over else []
        table = UnloadedTable("shop_marts", "fact", self.columns, paths, stamps, self.origin)
        publish_files([table], self.marts, config={})
        with duckdb.connect(str(self.marts), read_only=True) as connection:
            published = connection.execute("from shop_marts.fact").fetchall()
        assert sorted(published, key=str) == sorted(expected, key=str)
        return published

    def _unload(self, connection: duckdb.DuckDBPyConnection, query: str, name: str) -> list[Path]:
        """As Athena does it: nothing is written of no rows."""
        path = self.folder / f"{name}.parquet"
        if connection.execute(f"from ({query}) limit 1").fetchone() is None:
            return []
        connection.execute(f"copy ({query}) to '{path}' (format parquet)")
        return [path]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def test_only_what_changed_is_read(warehouse: Warehouse) -> None:
    facts = {("a", 0): (1, 3), ("a", 1): (2, 3), ("b", 1): (3, 3)}
    warehouse.publish(facts)
    assert warehouse.n_read == 9
    warehouse.publish(facts)
    assert warehouse.n_read == 0
    # A restated week of one run, and a new week of the other.
    warehouse.publish({**facts, ("a", 1): (7, 4), ("b", 2): (8, 2)})
    assert warehouse.n_read == 4 + 3 + 2
    # A run that is gone is not there any more.
    assert {row[0] for row in warehouse.publish({("a", 0): (1, 3)})} == {"a"}
    assert warehouse.n_read == 0
    assert warehouse.publish({}) == []


def test_a_table_that_was_made_anew_is_read_anew(warehouse: Warehouse) -> None:
    facts = {("a", 0): (1, 3)}
    warehouse.publish(facts)
    warehouse.origin = "Copied from s3://a/2"
    warehouse.publish(facts)
    assert warehouse.n_read == 3
    del warehouse.columns["actual"]
    warehouse.publish(facts)
    assert warehouse.n_read == 3
    warehouse.marts.write_bytes(b"no database")
    warehouse.publish(facts)
    assert warehouse.n_read == 3


def test_a_published_file_that_was_changed_by_hand_is_read_anew(warehouse: Warehouse) -> None:
    facts = {("a", 0): (1, 3), ("b", 0): (2, 3)}
    warehouse.publish(facts)
    with duckdb.connect(str(warehouse.marts)) as connection:
        connection.execute("delete from shop_marts.fact where run_id = 'a' and item_id = 'i0'")
    warehouse.publish(facts)
    assert warehouse.n_read == 3


def test_very_many_changed_runs_are_all_that_is_read(warehouse: Warehouse) -> None:
    facts = {(f"r{n}", 0): (n, 1) for n in range(MAX_CHANGED_RUNS + 1)}
    warehouse.publish({**facts, ("old", 0): (1, 1)})
    warehouse.publish({run: (digest + 1, 1) for run, (digest, _) in facts.items()})
    assert warehouse.n_read == MAX_CHANGED_RUNS + 1


def test_rows_of_a_digest_that_is_gone_are_not_taken_over(warehouse: Warehouse) -> None:
    kept = {("a", 0): (1, 2), ("b", 0): (1, 2)}
    # What a merge leaves until the rows that it outdates are deleted.
    warehouse.publish(kept, more=f"select 'a', date '{FIRST}', 2, 'z', 9.0")
    warehouse.publish(kept)
    assert warehouse.n_read == 2


@pytest.mark.parametrize("key", [f"null, date '{FIRST}'", "'c', null"])
def test_rows_without_a_run_or_week_are_read_anew(warehouse: Warehouse, key: str) -> None:
    facts = {("a", 0): (1, 2)}
    for _ in range(3):
        warehouse.publish(facts, more=f"select {key}, 2, 'z', 9.0")
        assert warehouse.n_read == 3


def test_a_file_that_cannot_be_read_to_its_end_is_read_anew(warehouse: Warehouse) -> None:
    facts = {(f"r{n}", week): (n, 3000) for n in range(3) for week in range(2)}
    warehouse.publish(facts)
    sound = warehouse.marts.read_bytes()
    n_anew = 0
    for place in range(1, 12):
        damaged = bytearray(sound)
        damaged[len(sound) * place // 12] ^= 255
        warehouse.marts.write_bytes(damaged)
        warehouse.publish(facts)
        n_anew += warehouse.n_read > 0
    assert n_anew > 0


def test_a_copy_without_all_rows_is_refused_and_the_old_file_stays(warehouse: Warehouse) -> None:
    before = warehouse.publish({("a", 0): (1, 3)})
    stamps = warehouse.folder / "stamps.parquet"
    table = UnloadedTable("shop_marts", "fact", COLUMNS, [], [stamps], warehouse.origin)
    with pytest.raises(RunError, match="would not hold the rows"):
        publish_files([table], warehouse.marts, config={})
    with duckdb.connect(str(warehouse.marts), read_only=True) as connection:
        assert connection.execute("from shop_marts.fact").fetchall() == before


FACTS = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b'", 'c"']), st.integers(0, 3)),
    st.tuples(st.integers(0, 2), st.integers(1, 3)),
    max_size=8,
)


@given(states=st.lists(FACTS, min_size=2, max_size=4))
@settings(max_examples=10, deadline=None)
def test_any_change_ends_with_the_rows_of_the_warehouse(states: list[Facts]) -> None:
    with TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder))
        for facts in states:
            warehouse.publish(facts)
