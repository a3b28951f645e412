"""Rows that `keep` leaves out: how many, and whether its texts are in the file at all."""

from __future__ import annotations

import difflib
from typing import Any

from salescast.ingest.landing import Landing
from salescast.ingest.landing_sql import compared_query, left_out_query, used_parameters
from salescast.ingest.source_files import SourceFile
from salescast.lake import StagedFile
from salescast.mapping import SalesTable


def count_left_out(
    source: SourceFile, staged: StagedFile, landing: Landing, parameters: dict[str, Any]
) -> int:
    """Number of rows that are not landed because of `keep`; tells it with the sum of their sales.

    Those that it leaves out and that withdraw landed sales are landed, and told too.
    """
    table = landing.mapping.tables.present()[source.table]
    query = left_out_query(source, table, landing.mapping, parameters)
    found = landing.con.execute(query, used_parameters(parameters, query)).fetchone()
    n_rows, sales, n_kept = found or (0, None, 0)
    n_withdrawn = staged.n_rows - int(n_kept) if source.table == "sales" else 0
    if n_rows:
        of_sales = "" if sales is None else f"; their sales sum to {sales:,.2f}"
        rows = "1 row" if n_rows == 1 else f"{n_rows:,} rows"
        landing.warnings.append(f"{source.name}: keep leaves out {rows}{of_sales}")
    if n_withdrawn:
        has_ids = isinstance(table, SalesTable) and table.line_id
        named = "line id" if has_ids else "store, department and date"
        landing.warnings.append(
            f"{source.name}: {n_withdrawn:,} of them {'lands' if n_withdrawn == 1 else 'land'} "
            f"with sales of 0, as sales of the same {named} have landed before"
        )
    _tell_misspelt(source, landing, parameters)
    return int(n_rows) - n_withdrawn


def _tell_misspelt(source: SourceFile, landing: Landing, parameters: dict[str, Any]) -> None:
    """Warn of a text that no row has although one has nearly the same."""
    table = landing.mapping.tables.present()[source.table]
    texts: dict[str, list[str]] = {}
    for expression in table.kept:
        for title, text in expression.compared_texts():
            texts.setdefault(title, []).append(text)
    for title, wanted in texts.items():
        query = compared_query(source, title, landing.mapping, parameters)
        rows = landing.con.execute(query, used_parameters(parameters, query)).fetchall()
        present = [row[0] for row in rows]
        for text in dict.fromkeys(wanted):
            plain = text.strip().lower()
            near = difflib.get_close_matches(plain, present, n=1, cutoff=0.8)
            if plain and plain not in present and near:
                landing.warnings.append(
                    f"{source.name}: keep compares {title!r} with {text!r}, which no row has; "
                    f"{near[0]!r} is there"
                )
