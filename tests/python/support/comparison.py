"""What differs between a relation on DuckDB and the files that Athena wrote of the same one."""

from __future__ import annotations

from pathlib import Path

import duckdb

from salescast.sql_text import quoted_text

TOLERANCE = 1e-9


def compare(connection: duckdb.DuckDBPyConnection, relation: str, files: list[Path]) -> list[str]:
    """What differs between a relation and Parquet files.

    Rows are paired in the order of everything but the doubles, then of the doubles rounded.
    """
    columns = dict(
        row[:2] for row in connection.execute(f"describe select * from {relation}").fetchall()
    )
    paths = ", ".join(quoted_text(str(path)) for path in files)
    if not files:
        n = connection.execute(f"select count(*) from {relation}").fetchone()
        return [] if n == (0,) else [f"{n} rows on DuckDB, none on Athena"]
    other = f"read_parquet([{paths}])"
    found = [row[0] for row in connection.execute(f"describe select * from {other}").fetchall()]
    if sorted(found) != sorted(columns):
        return [f"columns {sorted(columns)} on DuckDB, {sorted(found)} on Athena"]
    doubles = [name for name, kind in columns.items() if kind == "DOUBLE"]
    others = [name for name in columns if name not in doubles]
    as_text = {
        name: f'cast(to_json("{name}") as varchar)' if "[]" in columns[name] else f'"{name}"'
        for name in others
    }
    order = ", ".join([*as_text.values(), *(f'round("{name}", 2)' for name in doubles)])
    # Sorted once: a sort for each column would take most of the time of all tests.
    for side, source in (("mine", relation), ("its", other)):
        connection.execute(
            f"create or replace temp table {side} as "
            f"select *, row_number() over (order by {order}) as n from {source}"
        )
    counts = connection.execute(
        "select (select count(*) from mine), (select count(*) from its)"
    ).fetchone()
    assert counts is not None
    problems = []
    if counts[0] != counts[1]:
        problems.append(f"{counts[0]} rows on DuckDB, {counts[1]} on Athena")
    differs = {name: _differs(name, kind) for name, kind in columns.items()}
    paired = "from mine as a full join its as b on a.n = b.n"
    counted = ", ".join(f"count(*) filter (where {each})" for each in differs.values())
    n_differing = connection.execute(f"select {counted} {paired}").fetchone()
    assert n_differing is not None
    for name in [name for name, n in zip(columns, n_differing, strict=True) if n]:
        rows = connection.execute(
            f"""
            select coalesce(a.n, b.n), a."{name}", b."{name}" {paired}
            where {differs[name]} order by 1 limit 3
            """
        ).fetchall()
        problems += [
            f"{name}: row {n}: {mine!r} on DuckDB, {its!r} on Athena" for n, mine, its in rows
        ]
    return problems


def _differs(name: str, kind: str) -> str:
    """Whether the values of a column differ in a pair of rows."""
    a, b = f'a."{name}"', f'b."{name}"'
    if kind == "DOUBLE":
        return (
            f"coalesce(({a} is null) <> ({b} is null)"
            f" or abs({a} - {b}) > {TOLERANCE} * greatest(abs({a}), abs({b})), false)"
        )
    if "[]" in kind:
        return f"to_json({a}) is distinct from to_json({b})"
    return f"{a} is distinct from cast({b} as {kind})"
