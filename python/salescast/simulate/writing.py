"""Files that appear whole: CSV, gzip with the same bytes every time, and Parquet."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from salescast.files import whole_file
from salescast.simulate.tables import SALES_COLUMNS, SALES_SCHEMA

FileFormat = Literal["csv", "parquet"]


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for bytes; it appears under its name once the block has ended well."""
    with whole_file(path, shared=True) as partial, partial.open("wb") as stream:
        yield stream


def write_csv_table(
    table: pa.Table, stream: IO[bytes] | gzip.GzipFile, *, include_header: bool
) -> None:
    """Write rows as CSV text without quotes."""
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    if include_header:
        stream.write((",".join(table.column_names) + "\n").encode())
    pa_csv.write_csv(table, stream, options)


def write_dimension(table: pa.Table, path: Path) -> None:
    """Write a small table as a CSV file of its own."""
    with writing(path) as stream:
        write_csv_table(table, stream, include_header=True)


class CsvSales:
    """Sales as text; defective rows follow at the end of the file."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        """Take the stream to write to."""
        self._stream = stream
        self._n_tables = 0

    def write(self, table: pa.Table) -> None:
        """Add rows of sales."""
        write_csv_table(table, self._stream, include_header=self._n_tables == 0)
        self._n_tables += 1

    def write_defects(self, rows: list[list[str]]) -> None:
        """Add defective rows as they are."""
        self._stream.write("".join(",".join(row) + "\n" for row in rows).encode())


class ParquetSales:
    """Sales as typed columns; defective rows follow at the end of the file."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        """Take the writer of the file."""
        self._writer = writer

    def write(self, table: pa.Table) -> None:
        """Add rows of sales."""
        self._writer.write_table(table)

    def write_defects(self, rows: list[list[str]]) -> None:
        """Add defective rows in the types of the columns; blank text is null."""
        if rows:
            columns = zip(*rows, strict=True)
            texts = [pa.array([text or None for text in column]) for column in columns]
            self._writer.write_table(pa.table(texts, names=SALES_COLUMNS).cast(SALES_SCHEMA))


@contextmanager
def write_csv_sales(path: Path) -> Iterator[CsvSales]:
    """Write sales as gzipped CSV."""
    # Neither a name nor a time in the gzip header: the same rows are the same bytes.
    with (
        writing(path) as raw,
        gzip.GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0) as stream,
    ):
        yield CsvSales(stream)


@contextmanager
def write_parquet_sales(path: Path) -> Iterator[ParquetSales]:
    """Write sales as Parquet."""
    with (
        whole_file(path, shared=True) as partial,
        pq.ParquetWriter(partial, SALES_SCHEMA, compression="zstd") as writer,
    ):
        yield ParquetSales(writer)
