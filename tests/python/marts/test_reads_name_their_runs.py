"""Statements name the runs that they read, as long as they can and as long as these are few."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from jinja2 import Environment

MACROS = Path(__file__).parents[3] / "macros" / "metrics"
NAMES = ("can_be_asked", "is_of_runs", "is_checked_run", "due_rows", "of_due_runs")


class Relation:
    """What a macro sees of a relation."""

    def __init__(self, name: str, schema: str | None = "main") -> None:
        self.name, self.schema = name, schema

    def __str__(self) -> str:
        return self.name


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("create table checked as select 'r' || i as run_id from range(3) as r(i)")
    connection.execute(
        "create table weeks as select 'r' || i as run_id, 'n' || (i // 2) as naive_run_id, "
        "i as digest from range(4) as r(i)"
    )
    connection.execute("create table facts as select run_id, digest from weeks")
    return connection


Rendered = Callable[..., str]


@pytest.fixture
def rendered(connection: duckdb.DuckDBPyConnection) -> Rendered:
    """Render a call of a macro as dbt does in the command `which`."""

    answer: list[object] = []

    def run_query(sql: str) -> SimpleNamespace:
        values = [row[0] for row in connection.execute(sql).fetchall()]
        return SimpleNamespace(columns=[SimpleNamespace(values=lambda: values)])

    def render(call: str, which: str = "build", execute: bool = True, **relations: object) -> str:
        there = {
            name
            for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()
        }
        environment = Environment(extensions=["jinja2.ext.do"])
        text = "".join(
            (MACROS / f"{name}.sql").read_text() for name in NAMES if name != "can_be_asked"
        )
        context = {
            "execute": execute,
            "flags": SimpleNamespace(WHICH=which),
            "load_relation": lambda r: r if str(r) in there else None,
            "run_query": run_query,
        }

        def can_be_asked(asked: list[object]) -> bool:
            answer.clear()
            macro = (MACROS / "can_be_asked.sql").read_text()
            environment.from_string(macro + "{{ can_be_asked(asked) }}").render(
                **context, asked=asked, **{"return": answer.append}
            )
            return bool(answer[0])

        return " ".join(
            environment.from_string(text + call)
            .render(**context, can_be_asked=can_be_asked, **relations)
            .split()
        )

    return render


CHECKED = "{{ is_checked_run(checked, 'f.run_id') }}"
QUERY = "f.run_id in (select checked_runs.run_id from checked as checked_runs)"


def test_runs_are_literals(rendered: Rendered, connection: duckdb.DuckDBPyConnection) -> None:
    checked = Relation("checked")
    assert rendered(CHECKED, checked=checked) == "f.run_id in ('r0', 'r1', 'r2')"
    connection.execute(
        "delete from checked where run_id <> 'r1'; insert into checked values ('it''s')"
    )
    assert rendered(CHECKED, checked=checked) == "f.run_id in ('r1', 'it''s')"
    connection.execute("delete from checked")
    assert rendered(CHECKED, checked=checked) == "false"


def test_many_runs_stay_a_query(rendered: Rendered, connection: duckdb.DuckDBPyConnection) -> None:
    checked = Relation("checked")
    connection.execute("delete from checked; insert into checked select i from range(500) as r(i)")
    assert rendered(CHECKED, checked=checked).count("'") == 1000
    connection.execute("insert into checked values ('one more')")
    assert rendered(CHECKED, checked=checked) == QUERY


def test_what_cannot_be_asked_stays_a_query(rendered: Rendered) -> None:
    assert rendered(CHECKED, which="compile", checked=Relation("checked")) == QUERY
    assert rendered(CHECKED, execute=False, checked=Relation("checked")) == QUERY
    assert rendered(CHECKED, checked=Relation("checked", schema=None)) == QUERY
    assert rendered(CHECKED, checked="checked") == QUERY
    assert "select checked_runs" in rendered(CHECKED, checked=Relation("not_there"))


def test_due_runs(rendered: Rendered, connection: duckdb.DuckDBPyConnection) -> None:
    call = "{{ of_due_runs(weeks, ['run_id', 'digest'], made, ['run_id', 'naive_run_id']) }}"
    both = {"weeks": Relation("weeks"), "made": Relation("facts")}
    assert rendered(call, **both) == "where false"
    connection.execute("update weeks set digest = 99 where run_id = 'r2'")
    connection.execute("insert into weeks values ('new', null, 1)")
    found = rendered(call, **both)
    assert sorted(found.removeprefix("where run_id in (").rstrip(")").split(", ")) == [
        "'n1'",
        "'new'",
        "'r2'",
    ]
    as_query = rendered(call, which="compile", **both)
    facts = "(values ('n1'), ('new'), ('r1'), ('r2')) as f(run_id)"
    rows = connection.execute(f"select run_id from {facts} {as_query} order by run_id").fetchall()
    assert rows == [("n1",), ("new",), ("r2",)]
    assert rendered(call, weeks=Relation("weeks"), made=None) == ""
