"""What differs between a relation on DuckDB and the files that Athena wrote of the same one."""

from __future__ import annotations

from pathlib import Path

import duckdb

from salescast.lake import sql_text

TOLERANCE = 1e-9


def compare(connection: duckdb.DuckDBPyConnection, relation: str, files: list[Path]) -> list[str]:
    """What differs between a relation and Parquet files.

    Rows are paired in the order of everything but the doubles, then of the doubles rounded.
    """
    columns = dict(
        row[:2] for row in connection.execute(f"describe select * from {relation}").fetchall()
    )
    paths = ", ".join(sql_text(str(path)) for path in files)
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
    numbered = f"select *, row_number() over (order by {order}) as n from"
    problems = []
    counts = connection.execute(
        f"select (select count(*) from {relation}), (select count(*) from {other})"
    ).fetchone()
    assert counts is not None
    if counts[0] != counts[1]:
        problems.append(f"{counts[0]} rows on DuckDB, {counts[1]} on Athena")
    for name in columns:
        a, b = f'a."{name}"', f'b."{name}"'
        if name in doubles:
            differs = (
                f"({a} is null) <> ({b} is null)"
                f" or abs({a} - {b}) > {TOLERANCE} * greatest(abs({a}), abs({b}))"
            )
        elif "[]" in columns[name]:
            differs = f"to_json({a}) is distinct from to_json({b})"
        else:
            differs = f"{a} is distinct from cast({b} as {columns[name]})"
        rows = connection.execute(
            f"""
            select a.n, {a}, {b} from ({numbered} {relation}) as a
            full join ({numbered} {other}) as b on a.n = b.n
            where {differs} order by a.n limit 3
            """
        ).fetchall()
        problems += [
            f"{name}: row {n}: {mine!r} on DuckDB, {its!r} on Athena" for n, mine, its in rows
        ]
    return problems
