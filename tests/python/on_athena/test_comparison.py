"""The comparison itself finds what differs."""

from __future__ import annotations

from pathlib import Path

import duckdb

from salescast.sql_text import quoted_text
from support.comparison import compare


def test_a_difference_is_found(tmp_path: Path) -> None:
    connection = duckdb.connect()
    connection.execute("create table t as select 'a' as k, 1.0::double as x, [1, 2] as l")
    for n, (row, problem) in enumerate(
        [
            ("select 'a' as k, 1.0::double as x, [1, 2] as l", None),
            ("select 'b' as k, 1.0::double as x, [1, 2] as l", "k: "),
            ("select 'a' as k, 1.000001::double as x, [1, 2] as l", "x: "),
            ("select 'a' as k, null::double as x, [1, 2] as l", "x: "),
            ("select 'a' as k, 1.0::double as x, [2, 1] as l", "l: "),
            ("select 'a' as k, 1.0::double as x, [1, 2] as l from range(2)", "1 rows"),
            ("select 'a' as k, 1.0::double as x", "columns"),
        ]
    ):
        path = tmp_path / f"{n}.parquet"
        connection.execute(f"copy ({row}) to {quoted_text(str(path))} (format parquet)")
        problems = compare(connection, "t", [path])
        assert (problems == []) if problem is None else problems[0].startswith(problem)
