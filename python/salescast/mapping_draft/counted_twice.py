"""Rows that would be counted twice: totals among the rows, and totals of whole orders."""

from __future__ import annotations

import duckdb

from salescast.ingest.fit_checks import TOTALS
from salescast.mapping_draft.plan import Table
from salescast.mapping_draft.roles import best, named, shown


def leave_totals_out(sales: Table, con: duckdb.DuckDBPyConnection) -> None:
    """Leave out stores and departments named Total from the table `sold` and by `keep`."""
    for role in ("store", "department"):
        column = sales.roles.columns.get(role)
        if column is None or not (one := named(column.title)):
            continue
        is_total = f"regexp_matches(lower({role}), $totals)"
        rows = con.execute(
            f"select {role}, count(*), sum(sales) from sold where {is_total} and day is not null"
            " group by 1 order by 1",
            {"totals": TOTALS},
        ).fetchall()
        if not rows:
            continue
        texts = ", ".join("'" + text.replace("'", "''") + "'" for text, _, _ in rows)
        sales.roles.keep.append(f"{one} not in ({texts})")
        n_rows, total = sum(row[1] for row in rows), sum(row[2] or 0 for row in rows)
        sales.roles.doubt(
            "keep",
            f"{n_rows:,} rows of {shown(column.title)} are named {texts}, {total:,.2f} together: "
            "totals, which are left out?",
        )
        con.execute(f"delete from sold where {is_total}", {"totals": TOTALS})


def tell_order_totals(sales: Table, con: duckdb.DuckDBPyConnection) -> None:
    """Doubt a column of sales that is the same in all lines of an order."""
    order = best(sales.kind.profiles, "order", 1.5)
    value = sales.roles.columns.get("sales")
    if order is None or value is None or order is value or value.n_distinct < 2:
        return
    title, amount = sales.kind.sql(order.title), sales.kind.sql(value.title)
    row = con.execute(
        f"select count(*), count_if(same) from (select min({amount}) = max({amount}) as same"
        f" from {sales.kind.sample} group by {title} having count(*) > 1)"
    ).fetchone()
    n_orders, n_same = row or (0, 0)
    if n_orders >= 10 and n_same > 0.98 * n_orders:
        sales.roles.doubt(
            "sales",
            f"{shown(value.title)} is the same in all lines of {n_same:,} of {n_orders:,} "
            f"{shown(order.title)}s: the total of an order would be counted once a line",
        )
