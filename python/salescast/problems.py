"""Problems of series, told by name: what is wrong, how many series have it, and which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from salescast.errors import RunError

N_NAMED = 5
"""Series that a message names of each problem."""


def refuse_problems(
    connection: duckdb.DuckDBPyConnection,
    problems: str,
    parameters: Mapping[str, Any],
    *,
    where: str,
    fix: str,
    error: type[RunError] = RunError,
) -> None:
    """Raise if a query of problems has rows.

    Args:
        connection: Where the query runs.
        problems: Select of (problem, item_id, position); items are named by position, then item_id.
        parameters: Values of its named parameters.
        where: File or run concerned.
        fix: What the user can do.
        error: What to raise.

    Raises:
        RunError: Of the kind that is given; tells each problem with its number of series and the
            first of them.
    """
    found = connection.execute(
        f"""
        select
            problem,
            count(*) as n_series,
            list(item_id order by position, item_id)[1:{N_NAMED}] as first_items
        from ({problems}) as problems(problem, item_id, position)
        group by problem
        order by problem
        """,
        dict(parameters),
    ).fetchall()
    if found:
        raise error(
            "The forecasts are not complete and sound:\n"
            + "\n".join(
                f"  {problem}: {n:,} series ({', '.join(items)}{', …' if n > len(items) else ''})"
                for problem, n, items in found
            ),
            where=where,
            fix=fix,
        )
