"""Rows that a quarantine should catch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from salescast.simulate.chain import Chain
from salescast.simulate.random_streams import stream
from salescast.simulate.tables import SALES_COLUMNS
from salescast.simulate.writing import FileFormat


def inject_defects(
    sales: pa.Table, chain: Chain, file_format: FileFormat, seed: int
) -> tuple[pa.Table, dict[str, list[list[str]]]]:
    """Take some rows out of early weeks and return them broken, with rows that should not be.

    Returns:
        The table without the rows that were broken, and the defective rows as text by kind.
    """
    earliest = sales["date"].to_numpy().min()
    early = np.flatnonzero(sales["date"].to_numpy() < earliest + np.timedelta64(7 * 40, "D"))
    n_needed = 14
    if len(early) < n_needed:
        return sales, {}
    picked = stream(seed, "defects").choice(early, size=n_needed, replace=False)
    rows = [_as_text(row) for row in sales.take(pa.array(picked)).to_pylist()]
    year = rows[0][2][:4]
    unknown = f"S{'9' * (len(chain.stores[-1]) - 1)}X"

    # The kinds that stand in place of a real row come first: those rows leave the table.
    broken: dict[str, list[list[str]]] = {
        "blank_sales": [_replaced(row, 3, "") for row in rows[0:2]],
        "text_in_sales": [
            _replaced(row, 3, text)
            for row, text in zip(rows[2:5], ["closed", "12.3.4", "see note"], strict=True)
        ],
        "impossible_date": [
            _replaced(row, 2, text)
            for row, text in zip(rows[5:8], [f"{year}-02-30", f"{year}-13-01", "soon"], strict=True)
        ],
        "same_row_twice": rows[8:10],
        "other_sales_for_a_key": [_replaced(row, 3, "1.0") for row in rows[10:12]],
        "unknown_store": [_replaced(row, 0, unknown) for row in rows[12:14]],
        "blank_store": [_replaced(rows[12], 0, "")],
        "blank_department": [_replaced(rows[13], 1, "")],
    }
    n_taken = 8
    if file_format == "parquet":
        del broken["text_in_sales"], broken["impossible_date"]
        n_taken = 2
    is_kept = np.ones(sales.num_rows, dtype=bool)
    is_kept[picked[:n_taken]] = False
    return sales.filter(pa.array(is_kept)), broken


def _as_text(row: Mapping[str, object]) -> list[str]:
    """A row as the CSV writer writes it: true and false in lower case, no zero decimals."""
    values = [row[name] for name in SALES_COLUMNS]
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return [text.removesuffix(".0") for text in texts]


def _replaced(row: list[str], position: int, text: str) -> list[str]:
    return [*row[:position], text, *row[position + 1 :]]
