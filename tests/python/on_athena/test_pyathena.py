"""PyAthena's cursors on a running local stack."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pyathena import connect
from pyathena.error import OperationalError
from pyathena.pandas.cursor import PandasCursor

from local_aws.stack import Stack


@pytest.fixture
def connection(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A connection that finds the stack by the environment alone."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    with connect(s3_staging_dir=f"s3://{stack.bucket}/pyathena/", poll_interval=0.05) as made:
        yield made


def test_rows_and_types(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(
        "select 1 as i, cast(null as integer) as nothing, 'x' as t, decimal '1.50' as n, true as b,"
        " date '2024-01-02' as d, timestamp '2024-01-02 03:04:05.678' as at, 1e20 as big"
    )
    assert [(each[0], each[1]) for each in cursor.description][:4] == [
        ("i", "integer"),
        ("nothing", "integer"),
        ("t", "varchar"),
        ("n", "decimal"),
    ]
    assert cursor.fetchall() == [
        (
            *(1, None, "x", Decimal("1.50"), True, datetime.date(2024, 1, 2)),
            *(datetime.datetime(2024, 1, 2, 3, 4, 5, 678000), 1e20),
        )
    ]
    cursor.execute("select ?, ?", ["'it''s'", "2"], paramstyle="qmark")
    assert cursor.fetchone() == ("it's", 2)


def test_many_rows(connection: Any) -> None:
    query = (
        "select n, if(n % 2 = 0, cast(n as varchar)) as t from unnest(sequence(1, 2500)) as u (n)"
    )
    cursor = connection.cursor()
    found = cursor.execute(f"{query} order by n").fetchall()
    assert found == [(n, str(n) if n % 2 == 0 else None) for n in range(1, 2501)]
    frame = connection.cursor(PandasCursor).execute(f"{query} order by n").as_pandas()
    assert frame["n"].tolist() == list(range(1, 2501))
    assert frame["t"].isna().tolist() == [n % 2 == 1 for n in range(1, 2501)]


def test_a_cancelled_query(connection: Any) -> None:
    cursor = connection.cursor()
    series = "unnest(sequence(1, 10000))"
    slow = f"select count(*) from {series} as a (x), {series} as b (y), {series} as c (z)"
    timer = threading.Timer(1.0, cursor.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(OperationalError, match="cancelled"):
        cursor.execute(slow)
    assert time.monotonic() - started < 30
