"""Wide files, one column a week or day: which date a column's name says, and SQL of their rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import duckdb

from salescast.errors import UserError
from salescast.ingest.value_sql import Column, plain_text_sql, written_date_sql
from salescast.mapping import Mapping, RelatedTable, SalesTable, TableMapping, Unpivot

_DATE, _VALUE = "unpivoted_date", "unpivoted_value"
# A cell is row and column: 12 and 5 are 1,200,005.
_CELLS_A_ROW = 100_000


@dataclass(frozen=True)
class WideColumns:
    """The columns of a wide file that become rows.

    Attributes:
        cells: Those columns.
        columns: The columns that they become, by our names.
        parameters: Values of the reader's parameters.
    """

    cells: tuple[Column, ...]
    columns: dict[str, Column]
    parameters: dict[str, Any]

    def reader(self, rows: str, others: Sequence[Column]) -> str:
        """SQL of one row a cell; an empty cell is no row, a line that cannot be read is one."""
        values = ", ".join(plain_text_sql(cell) for cell in self.cells)
        kept = "".join(f", {column.sql}" for column in others)
        is_line = "unreadable_line is not null"
        return (
            "select * from ("
            f"select source_row * {_CELLS_A_ROW} + unnest(case when {is_line} then [0] else"
            f" $wide_places end) as source_row, unreadable_line{kept},"
            f" unnest(case when {is_line} then [null] else $wide_dates end) as {_DATE},"
            f" unnest(case when {is_line} then [null] else [{values}] end) as {_VALUE}"
            f" from ({rows}))"
            f" where {is_line} or not list_contains($wide_empty, coalesce({_VALUE}, ''))"
        )

    def row_of(self, source_row: str) -> str:
        """SQL for the row of the file that a cell stands in."""
        return f"{source_row} // {_CELLS_A_ROW}"

    def place(self, source_row: int) -> str:
        """A cell as messages name it."""
        return f"row {source_row // _CELLS_A_ROW}, column {source_row % _CELLS_A_ROW}"


def wide_columns(
    path: Path,
    table: str,
    columns: Sequence[Column],
    mapping: Mapping,
    con: duckdb.DuckDBPyConnection,
) -> WideColumns | None:
    """The columns that unpivot of a table names in a file; None for a table without it.

    Raises:
        UserError: No column is named, or the name of one says no date.
    """
    described = mapping.tables.present()[table]
    if not isinstance(described, SalesTable | RelatedTable) or described.unpivot is None:
        return None
    unpivot = described.unpivot
    used = set(described.named_columns())
    places = {
        column: number
        for number, column in enumerate(columns, start=1)
        if column.name
        and column.name not in used
        and any(fnmatchcase(column.name, pattern) for pattern in unpivot.columns)
    }
    key = f"tables.{table}.unpivot"
    if not places:
        raise UserError(
            f"no column of the file is named by {key}.columns: {', '.join(unpivot.columns)}",
            where=f"{path}; columns found: {shown_titles([each.name for each in columns])}",
            fix=f"correct {key}.columns in {mapping.path}",
        )
    cells = tuple(places)
    dates = (
        _dates_by_format(cells, unpivot, mapping, con)
        if unpivot.date_format
        else _dates_by_number(cells, unpivot, mapping)
    )
    _check_dates(path, cells, dates, key, unpivot, mapping)
    value = "sales" if isinstance(described, SalesTable) else next(iter(described.series))
    return WideColumns(
        cells,
        {
            "date": Column("the names of the columns", _DATE, "DATE"),
            value: Column("the columns of unpivot", _VALUE, "VARCHAR"),
        },
        {
            "wide_dates": dates,
            "wide_places": list(places.values()),
            "wide_empty": ["", *mapping.null_texts],
        },
    )


def _dates_by_format(
    cells: Sequence[Column], unpivot: Unpivot, mapping: Mapping, con: duckdb.DuckDBPyConnection
) -> list[str | None]:
    day = written_date_sql("title", tuple(unpivot.date_format), mapping)
    query = f"select {day} from unnest($titles) with ordinality as t(title, n) order by n"
    found = con.execute(query, {"titles": [cell.name for cell in cells]}).fetchall()
    return [row[0] for row in found]


def _dates_by_number(
    cells: Sequence[Column], unpivot: Unpivot, mapping: Mapping
) -> list[str | None]:
    start = _number(unpivot.first_column or "")
    step = 7 if mapping.grain == "weekly" else 1
    dates: list[str | None] = []
    for cell in cells:
        number = _number(cell.name)
        if number is None or start is None or unpivot.first_date is None:
            dates.append(None)
            continue
        try:
            day = unpivot.first_date + timedelta(days=step * (number - start))
        except OverflowError:
            dates.append(None)
            continue
        dates.append(day.isoformat() if 1900 <= day.year < 2200 else None)
    return dates


def _number(title: str) -> int | None:
    """The last number of a column's name."""
    found = re.findall(r"\d{1,9}", title)
    return int(found[-1]) if found else None


def _check_dates(
    path: Path,
    cells: Sequence[Column],
    dates: list[str | None],
    key: str,
    unpivot: Unpivot,
    mapping: Mapping,
) -> None:
    by_date: dict[str, str] = {}
    for cell, day in zip(cells, dates, strict=True):
        if day is None:
            way = (
                "date_format " + " or ".join(map(repr, unpivot.date_format))
                if unpivot.date_format
                else "a number to count on from first_column"
            )
            raise UserError(
                f"the name of the column {cell.name!r} says no date by {way}",
                where=str(path),
                fix=f"correct {key}.date_format, or narrow {key}.columns in {mapping.path}",
            )
        if day in by_date:
            raise UserError(
                f"two columns are of the same date {day}: {by_date[day]!r} and {cell.name!r}",
                where=str(path),
                fix=f"narrow {key}.columns in {mapping.path}, or take one column away",
            )
        by_date[day] = cell.name


def shown_titles(titles: Sequence[str]) -> str:
    """Names of columns for a message; the middle of a long list is left out."""
    if len(titles) <= 50:
        return ", ".join(titles)
    return f"{', '.join(titles[:30])}, and {len(titles) - 33} more, {', '.join(titles[-3:])}"


def told_wide(
    path: Path, titles: Sequence[str], described: TableMapping, table: str, mapping: Mapping
) -> UserError | None:
    """The error for a file that has one column a week or day where the mapping wants one date.

    None where the file is not so.
    """
    if not isinstance(described, SalesTable | RelatedTable):
        return None
    used = set(described.named_columns())
    shapes: dict[str, list[str]] = {}
    for title in titles:
        if title and title not in used and re.search(r"\d", title):
            shapes.setdefault(re.sub(r"\d+", "0", title), []).append(title)
    shape, found = max(shapes.items(), key=lambda each: len(each[1]), default=("", []))
    if len(found) < 4 or len(set(found)) < len(found):
        return None
    start = re.match(r"[^0-9]*", found[0])
    pattern = f"{start[0] if start else ''}[0-9]*"
    key = f"tables.{table}.unpivot"
    one_number = shape.count("0") == 1 and not re.fullmatch(r"\d{6,8}", found[0])
    how = (
        f"first_column: {found[0]}, first_date: DATE-OF-{found[0]}"
        if one_number
        else "date_format: THE-FORMAT-OF-THE-NAMES"
    )
    value = "sales" if isinstance(described, SalesTable) else "the series"
    return UserError(
        f"the file is wide: {len(found)} columns such as {found[0]!r} and {found[-1]!r} are each a "
        "week or day, where the mapping wants one column with the date and one with " + value,
        where=f"{path}; columns found: {shown_titles(titles)}",
        fix=f"take columns.date{' and columns.sales' if value == 'sales' else ''} away, and write "
        f'{key}: {{columns: ["{pattern}"], {how}}} in {mapping.path}',
    )
