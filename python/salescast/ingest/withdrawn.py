"""Sales that `keep` leaves out although an earlier delivery had them: they were cancelled since.

Left out, such a row would replace nothing, and what landed before would go on counting. So it lands
with sales of 0, if a line id or a key that the delivery restates says what it replaces.
"""

from __future__ import annotations

from collections.abc import Sequence

from salescast.ingest.landing import Landing
from salescast.lake.loads import Load
from salescast.mapping import Mapping, SalesTable, TableMapping


def note_landed(landing: Landing, loads: Sequence[Load]) -> None:
    """Have at hand what names landed sales, if a row of the mapping can withdraw any."""
    name = _name_of_sales(landing.mapping.tables.sales, landing.mapping)
    if name is None:
        return
    landed = [load for load in loads if load.table_name == "raw_sales"]
    rows = landing.lake.scan_sql("raw_sales", [load.load_id for load in landed])
    landing.con.execute("create temp table earlier_loads (load_id text, delivery_id text)")
    if landed:
        landing.con.executemany(
            "insert into earlier_loads values (?, ?)",
            [[load.load_id, load.delivery_id] for load in landed],
        )
    landing.con.execute(
        f"create temp table earlier_sales as select distinct {name} as name, delivery_id"
        f" from ({rows}) inner join earlier_loads using (load_id)"
    )


def with_withdrawn(rows: str, table: TableMapping, mapping: Mapping) -> str:
    """SQL of the rows that are kept, and of those that withdraw what an earlier delivery had.

    Args:
        rows: SQL of the lake's columns and `is_kept`.
        table: The table of the mapping.
        mapping: The mapping.
    """
    name = _name_of_sales(table, mapping)
    if name is None:
        return f"select * exclude (is_kept) from ({rows}) where is_kept"
    return (
        "select * exclude (is_kept) replace (case when is_kept then sales else '0' end as sales)"
        f" from ({rows}) where is_kept or {name} in"
        " (select name from earlier_sales where delivery_id < $delivery_id)"
    )


def _name_of_sales(table: TableMapping, mapping: Mapping) -> str | None:
    """SQL for what a row has in common with the landed one that it replaces; None if nothing."""
    if not isinstance(table, SalesTable) or not table.kept:
        return None
    if table.line_id:
        return "line_id"
    # Where rows of one key are not summed, a 0 could be taken for the row that counts.
    if mapping.deliveries == "restates" and mapping.duplicates == "sum":
        return "concat_ws(chr(31), trim(store), trim(department), trim(date))"
    return None
