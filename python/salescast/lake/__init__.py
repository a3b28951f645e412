"""The lake: tables as folders of Parquet files that are only ever added to.

A file is written under a temporary name in the table's own folder, synced and then renamed, so a
reader sees a whole file or none. Writers hold the lock; readers need nothing.

A lake on S3 has the same folders below a prefix. Its files never change, so the local folder keeps
a copy of each that was read or written here; what exists is what S3 lists, never what is copied.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from salescast import disk
from salescast.errors import RunError, Taken
from salescast.files import sync
from salescast.quantiles import QUANTILE_COLUMNS
from salescast.sql_text import file_pattern, quoted_name, quoted_text

if TYPE_CHECKING:
    from salescast.s3 import Prefix
    from salescast.settings import Settings

SCHEMA_VERSION = 1
COMPRESSION = "zstd"

_LANDED = {
    "load_id": "varchar",
    "loaded_at": "timestamp",
    "source_file": "varchar",
    "source_row": "bigint",
    "schema_version": "integer",
}


def _text(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "varchar")


LAKE_SCHEMAS: dict[str, dict[str, str]] = {
    "raw_sales": _text("store", "department", "date", "sales", "is_holiday", "is_stocked_out")
    | _text("line_id", "row_digest", "unreadable_line")
    | _LANDED,
    "raw_related": _text("store", "department", "date", "series_name", "value", "unreadable_line")
    | _LANDED,
    "raw_stores": _text("store", "type", "size", "region", "opened_on", "closed_on") | _LANDED,
    "raw_departments": _text("department", "name", "category") | _LANDED,
    "raw_series_changes": _text("store", "department", "renamed_from", "closed_on", "still_sold")
    | _LANDED,
    "raw_loads": {
        **_text("load_id", "table_name", "source_file", "content_hash"),
        "n_rows": "bigint",
        "mapping_name": "varchar",
        "loaded_at": "timestamp",
        **_text("delivery_id", "between_deliveries", "reading_hash", "replaces_load_id"),
        "n_left_out": "bigint",
        **dict.fromkeys(("first_date", "last_date"), "date"),
        "sales_sum": "double",
        "days_sum": "bigint",
        "rows_digest": "bigint",
        "schema_version": "integer",
    },
    "raw_retractions": {
        "load_id": "varchar",
        "retracted_at": "timestamp",
        "reason": "varchar",
        "schema_version": "integer",
    },
    "settings": {
        "settings_id": "varchar",
        "landed_at": "timestamp",
        **_text("section", "name", "attribute", "value"),
        "schema_version": "integer",
    },
    "requested_cutoffs": {
        "request_id": "varchar",
        "requested_at": "timestamp",
        "cutoff_date": "date",
        "weeks_back": "integer",
        "kind": "varchar",
        "horizon_weeks": "integer",
        "schema_version": "integer",
    },
    "forecasts": {
        **_text("run_id", "model_id", "item_id"),
        "cutoff_date": "date",
        "week_end_date": "date",
        "horizon_weeks": "integer",
        "mean": "double",
        **dict.fromkeys(QUANTILE_COLUMNS, "double"),
        **_text("store_id", "department_id", "treatment"),
        "schema_version": "integer",
    },
    "runs": {
        **_text("run_id", "batch_id", "model_id", "recipe", "kind"),
        "cutoff_date": "date",
        "prediction_length": "integer",
        **_text("trained_model_id", "forecaster"),
        "seed": "bigint",
        **_text("hyperparameters", "data_hash", "code_version"),
        "n_items": "bigint",
        "n_fallback_items": "bigint",
        "n_rows": "bigint",
        "landed_at": "timestamp",
        "rows_digest": "bigint",
        "newest_week_end_date": "date",
        "n_total_bands": "bigint",
        "schema_version": "integer",
    },
    "run_members": {
        **_text("run_id", "batch_id", "model_id"),
        "cutoff_date": "date",
        "prediction_length": "integer",
        **_text("member_model_id", "member_run_id"),
        "n_members": "integer",
        "asked_at": "timestamp",
        "schema_version": "integer",
    },
    "withdrawals": {
        **_text("run_id", "reason"),
        "withdrawn_at": "timestamp",
        "schema_version": "integer",
    },
    "fallback_items": {
        **_text("run_id", "item_id", "reason"),
        "largest_forecast": "double",
        "largest_plausible": "double",
        "schema_version": "integer",
    },
    "total_bands": {
        **_text("run_id", "level", "item_id"),
        "week_end_date": "date",
        "horizon_weeks": "integer",
        "learned_share": "double",
        **{f"offset_{name}": "double" for name in QUANTILE_COLUMNS if name != "p50"},
        "schema_version": "integer",
    },
    "run_steps": {
        **_text("batch_id", "run_id", "step", "status"),
        "started_at": "timestamp",
        "finished_at": "timestamp",
        "seconds": "double",
        **_text("detail", "job_name", "instance_type"),
        "instance_count": "bigint",
        "billable_seconds": "double",
        "cost_usd": "double",
        "schema_version": "integer",
    },
    "champions": {
        **_text("model_id", "trained_model_id", "action", "reason"),
        "set_at": "timestamp",
        "schema_version": "integer",
    },
}

_ARROW_TYPES: dict[str, pa.DataType] = {
    "varchar": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "double": pa.float64(),
    "date": pa.date32(),
    # Athena reads milliseconds; finer values are rounded or refused.
    "timestamp": pa.timestamp("ms"),
}
_SQL_TYPES = {kind: "timestamp_ms" if kind == "timestamp" else kind for kind in _ARROW_TYPES}
"""DuckDB's words for the types."""

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

# Temporary files of this process; any other one in a table's folder was left by a killed writer.
_being_written: set[Path] = set()


def arrow_schema(table: str) -> pa.Schema:
    """Arrow schema of a lake table, columns in the order of its files."""
    return pa.schema([(name, _ARROW_TYPES[kind]) for name, kind in _schema(table).items()])


def _schema(table: str) -> dict[str, str]:
    if table not in LAKE_SCHEMAS:
        known = ", ".join(LAKE_SCHEMAS)
        raise RunError(f"the lake has no table {table!r}", fix=f"give one of {known}")
    return LAKE_SCHEMAS[table]


def sortable_id(moment: datetime) -> str:
    """An id that sorts by time: `YYYYMMDDtHHMMSSffffff-xxxx`, in UTC, the last part random."""
    return f"{utc_naive(moment):%Y%m%dt%H%M%S%f}-{secrets.token_hex(2)}"


def utc_naive(moment: datetime) -> datetime:
    """The moment in UTC without a zone, as the lake stores it; a naive moment is taken as UTC."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class StagedFile:
    """A complete file under its temporary name, which no reader sees yet.

    `remote` is the prefix of the table where the lake is on S3.
    """

    path: Path
    target: Path
    n_rows: int
    remote: Prefix | None = None

    def publish(self) -> Path:
        """Put the file where readers see it, whole or not at all, and return its path."""
        if self.remote is not None:
            try:
                self.remote.upload(self.path, self.target.name)
            except Taken as taken:
                raise _already_landed(self.target.name, str(taken)) from taken
        elif self.target.exists():
            raise _already_landed(self.target.name, str(self.target))
        with disk.telling(self.target.parent):
            self.path.replace(self.target)
            sync(self.target.parent)
        _being_written.discard(self.path)
        return self.target

    def discard(self) -> None:
        """Remove the temporary file; does nothing once the file is published."""
        self.path.unlink(missing_ok=True)
        _being_written.discard(self.path)


class Lake:
    """The tables below one folder, or below a prefix of S3 that the folder copies.

    Args:
        root: Folder of the lake; tables are folders in it, made at their first write.
        temp_folder: Where DuckDB may spill; default is `tmp` beside the lake.
        remote: Where the lake really is, if it is on S3.
    """

    def __init__(
        self, root: Path, temp_folder: Path | None = None, remote: Prefix | None = None
    ) -> None:
        """Point at a lake; nothing is read or made yet."""
        self.root = Path(root)
        self.temp_folder = temp_folder or self.root.parent / "tmp"
        self.remote = remote

    @property
    def place(self) -> str:
        """The lake as people name it: its folder or its prefix."""
        return self.remote.uri if self.remote else str(self.root)

    def folder(self, table: str) -> Path:
        """Folder that holds the files of a table, existing or not."""
        _schema(table)
        return self.root / table

    def names(self, table: str) -> list[str]:
        """Stems of a table's files that readers see, sorted; reads no file."""
        return sorted(self._sizes(table))

    def files(self, table: str) -> list[Path]:
        """Files of a table that readers see, sorted by name; on S3 their copies."""
        sizes = self._sizes(table)
        if self.remote is not None:
            old = [name for name, size in sizes.items() if not self._is_copied(table, name, size)]
            with disk.telling(self.folder(table)):
                self.remote.below(table).download_all(
                    [f"{name}.parquet" for name in old], self.folder(table)
                )
        return [self._target(table, name) for name in sorted(sizes)]

    def file(self, table: str, name: str) -> Path:
        """The file `<name>.parquet` of a table; on S3 its copy."""
        target = self._target(table, name)
        if self.remote is not None and not target.exists():
            with disk.telling(target.parent):
                self.remote.below(table).download(target.name, target)
        return target

    def has_rows(self, table: str) -> bool:
        """Whether any file of the table holds a row."""
        paths = (self.file(table, name) for name in self.names(table))
        return any(pq.read_metadata(path).num_rows for path in paths)

    def has_file(self, table: str, name: str) -> bool:
        """Whether the file `<name>.parquet` of a table has been landed."""
        target = self._target(table, name)
        if self.remote is not None:
            return self.remote.below(table).has(target.name)
        return target.exists()

    def file_metadata(self, table: str, name: str) -> dict[str, str]:
        """The key-value texts that were stored in a file's footer when it was written."""
        found = pq.read_metadata(self.file(table, name)).metadata or {}
        return {key.decode(): value.decode() for key, value in found.items()}

    def _sizes(self, table: str) -> dict[str, int]:
        """Bytes of each file of a table, by its stem."""
        if self.remote is None:
            folder = self.folder(table)
            # A folder that this user may not read is no empty one, as which glob() shows it.
            paths = folder.iterdir() if folder.exists() else ()
            found = {path.name: path.stat().st_size for path in paths}
        else:
            _schema(table)
            found = self.remote.sizes(table)
        return {
            name.removesuffix(".parquet"): size
            for name, size in found.items()
            if name.endswith(".parquet") and name[0] != "." and "/" not in name
        }

    def _is_copied(self, table: str, name: str, size: int) -> bool:
        target = self._target(table, name)
        return target.exists() and target.stat().st_size == size

    def scan_sql(self, table: str, names: Sequence[str] | None = None) -> str:
        """SQL text of a select of a table, typed, also while it has no file.

        Args:
            table: Name of a lake table.
            names: Stems of the files to read; default is all.
        """
        schema = _schema(table)
        files = self.files(table) if names is None else [self.file(table, name) for name in names]
        nulls = ", ".join(
            f'cast(null as {_SQL_TYPES[kind]}) as "{name}"' for name, kind in schema.items()
        )
        no_rows = f"select {nulls} where false"
        if not files:
            return no_rows
        columns = ", ".join(
            f'cast("{name}" as {_SQL_TYPES[kind]}) "{name}"' for name, kind in schema.items()
        )
        paths = ", ".join(quoted_text(file_pattern(path)) for path in files)
        # Files of before a column was added do not have it.
        return (
            f"select {columns} from ({no_rows} union all by name select * from "
            f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false))"
        )

    def read(self, table: str) -> pa.Table:
        """The whole of a small table in memory, typed, also while it has no file."""
        schema = arrow_schema(table)
        parts = [_fit(pq.ParquetFile(path).read(), schema) for path in self.files(table)]
        return pa.concat_tables([schema.empty_table(), *parts])

    def append(
        self,
        table: str,
        data: pa.Table | pa.RecordBatchReader | Sequence[Mapping[str, Any]],
        name: str | None = None,
    ) -> Path:
        """Add Arrow data or a few rows to a table as one file; see `stage`.

        Returns:
            Path of the new file.
        """
        return self.stage(table, data, name).publish()

    def append_query(
        self,
        con: duckdb.DuckDBPyConnection,
        table: str,
        query: str,
        parameters: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> Path:
        """Add the result of a DuckDB query to a table as one file; see `stage_query`."""
        return self.stage_query(con, table, query, parameters, name).publish()

    def stage(
        self,
        table: str,
        data: pa.Table | pa.RecordBatchReader | Sequence[Mapping[str, Any]],
        name: str | None = None,
    ) -> StagedFile:
        """Write Arrow data or a few rows to a temporary file of a table.

        Args:
            table: Name of a lake table.
            data: Arrow table, reader of batches, or rows as mappings; the columns of the table in
                any order, `schema_version` may be absent.
            name: Stem of the file; default is a new id that sorts by time.

        Raises:
            RunError: Columns do not fit the table, or there is no room on the disk.
        """
        schema = arrow_schema(table)
        if not isinstance(data, pa.Table | pa.RecordBatchReader):
            data = pa.Table.from_pylist(
                [{"schema_version": SCHEMA_VERSION, **row} for row in data], schema=schema
            )
        _check_columns(table, data.schema.names)
        batches = data.to_batches() if isinstance(data, pa.Table) else data
        with self._new_file(table, name) as (temp, target):
            with pq.ParquetWriter(temp, schema, compression=COMPRESSION) as writer:
                for batch in batches:
                    writer.write_table(_fit(pa.Table.from_batches([batch]), schema))
            staged = self._finish(table, temp, target)
        return staged

    def stage_query(
        self,
        con: duckdb.DuckDBPyConnection,
        table: str,
        query: str,
        parameters: Mapping[str, Any] | None = None,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StagedFile:
        """Write the result of a DuckDB query to a temporary file of a table.

        Args:
            con: Open connection that the query runs on.
            table: Name of a lake table.
            query: Select of the columns of the table; `schema_version` may be absent.
            parameters: Values of the query's named parameters.
            name: Stem of the file; default is a new id that sorts by time.
            metadata: Texts to store in the footer of the file.

        Raises:
            RunError: Columns do not fit the table, or there is no room on the disk.
        """
        found = [row[0] for row in con.execute(f"describe {query}", parameters).fetchall()]
        _check_columns(table, found)
        columns = ", ".join(
            f"cast({quoted_name(name) if name in found else SCHEMA_VERSION} as {_SQL_TYPES[kind]})"
            f' as "{name}"'
            for name, kind in LAKE_SCHEMAS[table].items()
        )
        footer = ", ".join(
            f"{quoted_name(k)}: {quoted_text(v)}" for k, v in (metadata or {}).items()
        )
        options = f"format parquet, compression {COMPRESSION}"
        if footer:
            options += f", kv_metadata {{{footer}}}"
        with self._new_file(table, name) as (temp, target):
            con.execute(
                f"copy (select {columns} from ({query})) to {quoted_text(str(temp))} ({options})",
                parameters,
            )
            staged = self._finish(table, temp, target)
        return staged

    def _finish(self, table: str, temp: Path, target: Path) -> StagedFile:
        sync(temp)
        remote = self.remote.below(table) if self.remote else None
        return StagedFile(temp, target, pq.read_metadata(temp).num_rows, remote)

    def _target(self, table: str, name: str) -> Path:
        if not _FILE_NAME.fullmatch(name):
            raise RunError(f"{name!r} is no name for a file of the lake", where=table)
        return self.folder(table) / f"{name}.parquet"

    @contextmanager
    def _new_file(self, table: str, name: str | None) -> Iterator[tuple[Path, Path]]:
        target = self._target(table, name or sortable_id(datetime.now(UTC)))
        temp = target.with_name(f".{target.stem}.tmp")
        with disk.telling(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            for leftover in target.parent.glob(".*.tmp"):
                if leftover not in _being_written:
                    leftover.unlink(missing_ok=True)
            _being_written.add(temp)
            try:
                yield temp, target
            except BaseException:
                temp.unlink(missing_ok=True)
                _being_written.discard(temp)
                raise


def open_lake(settings: Settings) -> Lake:
    """The lake that the settings name: a folder, or a prefix of S3."""
    if settings.target == "dev":
        return Lake(settings.lake, settings.spill)
    from salescast.s3 import opener

    return Lake(settings.lake, settings.spill, opener(settings)(settings.lake_uri))


def _already_landed(name: str, where: str) -> RunError:
    return RunError(
        f"the file {name} is already in the lake",
        where=where,
        fix="nothing landed is edited: land the rows under another name",
    )


def _fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    if "schema_version" not in table.schema.names:
        versions = pa.array([SCHEMA_VERSION] * table.num_rows, pa.int32())
        table = table.append_column("schema_version", versions)
    # Files of earlier versions have microseconds, and not every column.
    columns = [
        pc.cast(table[each.name], options=pc.CastOptions(each.type, allow_time_truncate=True))
        if each.name in table.schema.names
        else pa.nulls(table.num_rows, each.type)
        for each in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _check_columns(table: str, found: Sequence[str]) -> None:
    wanted = set(_schema(table))
    missing = sorted(wanted - set(found) - {"schema_version"})
    extra = sorted(set(found) - wanted)
    if missing or extra:
        raise RunError(
            f"columns do not fit the lake table {table}",
            where=f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(extra) or 'none'}",
            fix=f"give {', '.join(LAKE_SCHEMAS[table])}",
        )
