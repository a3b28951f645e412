"""What stands in a file: encoding, header, delimiter, and its first rows."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from salescast.errors import UserError
from salescast.ingest.source_files import (
    DELIMITERS,
    SEPARATOR_LINE,
    SourceFile,
    first_line,
    open_source_file,
    set_lines_aside,
)
from salescast.ingest.text_files import guess_encoding, read_text
from salescast.ingest.value_sql import Column, plain_text_sql
from salescast.mapping import Mapping

_MAX_CELLS = 20_000_000
_N_LINES = 60


@dataclass(frozen=True)
class Layout:
    """How a text file is cut: what the keys encoding and skip_lines need, and what was seen."""

    encoding: str = "utf-8"
    n_lines_before: int = 0
    delimiter: str = ","
    has_separator_line: bool = False
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass
class Look:
    """A file that was looked into; its first rows stand in the table `sample`.

    Attributes:
        path: The file.
        name: Its name below the folder.
        layout: How it is cut.
        source: The file as the product reads it.
        sample: Table of `source_row` and the columns as texts.
        n_rows: Rows in it.
        is_whole: Whether that is all of the file.
    """

    path: Path
    name: str
    layout: Layout
    source: SourceFile
    sample: str
    n_rows: int
    is_whole: bool

    @cached_property
    def titles(self) -> list[str]:
        """Names of the columns, those named twice left out."""
        counts = Counter(column.name for column in self.source.columns)
        return [c.name for c in self.source.columns if c.name and counts[c.name] == 1]

    def column(self, title: str) -> Column:
        """A column of the file by its name."""
        return next(each for each in self.source.columns if each.name == title)


def look_into(
    path: Path, name: str, con: duckdb.DuckDBPyConnection, scratch: Path, max_rows: int
) -> Look:
    """Read the beginning of a file: how it is cut, and its first rows.

    Raises:
        UserError: It is no table that can be read.
    """
    is_text = not path.name.lower().endswith((".parquet", ".pq"))
    layout, titles = _layout(path, scratch) if is_text else (Layout(), _parquet_titles(path))
    mapping = provisional_mapping(layout, titles, path)
    source = open_source_file(path, name, "sales", mapping, con, scratch)
    sample = f"look_{len(con.execute('show tables').fetchall())}"
    limit = min(max_rows, max(1000, _MAX_CELLS // max(len(source.columns), 1)))
    try:
        n_rows = _take_sample(source, sample, limit, con)
    except duckdb.Error as error:
        source = set_lines_aside(source, error, con, scratch)
        n_rows = _take_sample(source, sample, limit, con)
    if not n_rows:
        raise UserError("the file has a header but no row", where=str(path))
    return Look(path, name, layout, source, sample, n_rows, n_rows < limit)


def _take_sample(
    source: SourceFile, sample: str, limit: int, con: duckdb.DuckDBPyConnection
) -> int:
    texts = ", ".join(f"{plain_text_sql(each)} as {each.sql}" for each in source.columns)
    con.execute(
        f"create or replace temp table {sample} as select source_row, {texts}"
        f" from ({source.reader}) where unreadable_line is null limit {limit}",
        source.parameters,
    )
    row = con.execute(f"select count(*) from {sample}").fetchone()
    return int(row[0]) if row else 0


def _parquet_titles(path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"the file is not readable Parquet: {first_line(error)}", where=str(path)
        ) from error


def provisional_mapping(layout: Layout, titles: Sequence[str], path: Path) -> Mapping:
    """A mapping with which the product opens a file of which nothing else is known."""
    counts = Counter(titles)
    once = [title for title in titles if title and counts[title] == 1]
    if len(once) < 2:
        raise UserError(
            "the file has fewer than two columns with a name of their own",
            where=str(path),
            fix="give each column a name in the first line",
        )
    wanted = dict(zip(("date", "sales", "store", "department"), once, strict=False))
    constants = {name: "all" for name in ("store", "department") if name not in wanted}
    return Mapping.model_validate(
        {
            "name": "draft",
            "grain": "weekly",
            "week_ends_on": "sunday",
            "tables": {
                "sales": {
                    "file": "*",
                    "columns": wanted,
                    "constants": constants,
                    "encoding": layout.encoding,
                    "skip_lines": layout.n_lines_before,
                }
            },
        }
    )


def _layout(path: Path, scratch: Path) -> tuple[Layout, list[str]]:
    """How a text file is cut, and the names of its columns."""
    encoding = guess_encoding(path)
    head = read_text(path, encoding, "encoding", scratch).head
    lines = [line for line in re.split(r"\r\n|\n|\r", head[: 1 << 18])][:_N_LINES]
    if not any(line.strip() for line in lines):
        raise UserError("the file is empty", where=str(path))
    separator = SEPARATOR_LINE.match(lines[0])
    start = 1 if separator else 0
    best = max(
        (
            (*_cut(lines[start:], each), each)
            for each in (separator[1] if separator else DELIMITERS)
        ),
        key=lambda found: (found[0] >= 2, found[1], -found[2], found[0]),
    )
    n_columns, _, place, delimiter = best
    if n_columns < 2:
        raise UserError(
            "no delimiter (comma, semicolon, tab or bar) parts the lines into columns",
            where=str(path),
            fix="export the file as CSV",
        )
    header = _cells(lines[start + place :], delimiter)
    notes, doubts = [], []
    kind = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}.get(delimiter, delimiter)
    notes.append(f"columns are parted by {kind}; {n_columns} of them")
    if encoding != "utf-8":
        notes.append(f"encoding {encoding}: the bytes are no UTF-8")
        if encoding != "utf-16":
            doubts.append(
                f"the encoding {encoding} is likely, not certain: look at a name with an accent"
                + (f", such as {odd!r}" if (odd := _odd_text(head)) else "")
            )
    if place:
        notes.append(f"the header is line {start + place + 1}; the lines before it are passed over")
    if any(_is_value(title) for title in header) and not _looks_wide(header):
        doubts.append(
            "the first line looks like values, not like names of columns: "
            f"{delimiter.join(header)[:80]!r}; if it is, add a line with names"
        )
    n_before = place + start if place else 0
    layout = Layout(encoding, n_before, delimiter, bool(separator), tuple(notes), tuple(doubts))
    return layout, header


def _cut(lines: list[str], delimiter: str) -> tuple[int, float, int]:
    """Columns under a delimiter, the share of lines that have as many, and the header's place."""
    cells = [_cells([line], delimiter) for line in lines]
    counts = [len(each) for each in cells]
    filled = [count for count, line in zip(counts, lines, strict=True) if line.strip()]
    if not filled:
        return 0, 0.0, 0
    # Lines after the first ones decide: titles stand before the header, and totals at the end.
    body = filled[len(filled) // 3 :]
    usual = Counter(body).most_common(1)[0][0]
    place = next(
        (
            number
            for number, (count, each) in enumerate(zip(counts, cells, strict=True))
            if count == usual and sum(bool(cell) for cell in each) >= min(2, usual)
        ),
        0,
    )
    return usual, round(body.count(usual) / len(body), 1), place


def _cells(lines: Sequence[str], delimiter: str) -> list[str]:
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=delimiter)
    try:
        return [cell.strip() for cell in next(reader, [])]
    except csv.Error:
        return []


def _is_value(title: str) -> bool:
    return bool(re.fullmatch(r"[-+(]?[\d.,:/ -]*\d[\d.,:/ )-]*", title))


def _looks_wide(header: Sequence[str]) -> bool:
    return sum(_is_value(title) for title in header) > 3


def _odd_text(head: str) -> str:
    found = re.search(r"[^\W\d_]*[^\x00-\x7f][^\W\d_]*", head)
    return found[0][:40] if found else ""
