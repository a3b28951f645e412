"""The production warehouse: dbt on Athena, a lake on S3.

Rows leave Athena by UNLOAD. Training files are copied by S3 and never come here; forecasts of SQL
models and inference files come as files, not as result sets.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError

from salescast.aws import client, open_session
from salescast.child import Progress
from salescast.errors import RunError, UserError
from salescast.lake import open_lake
from salescast.lake.trained_models import Encoding
from salescast.marts.publish import UnloadedTable, publish_files
from salescast.marts.reader import REPORT_COLUMNS, REPORT_TABLES
from salescast.marts.taken_over import stamps_query, take_over
from salescast.s3 import Prefix, open_prefix
from salescast.settings import Settings
from salescast.sql_text import file_pattern, quoted_name, quoted_text
from salescast.warehouse import (
    BuildResult,
    Cutoff,
    Landed,
    LandedSeries,
    Spent,
    TrainingRecords,
)
from salescast.warehouse.athena_client import AthenaClient
from salescast.warehouse.dbt import DbtProject, create_lake_sources, dbt_build
from salescast.warehouse.landed import landed_series_sql, read_landed, sales_bounds_sql
from salescast.warehouse.trained_columns import category_column, category_match, feature_column

_INCREMENTAL = "config.materialized:incremental"
_CHECKED_RUNS = "stg_forecasts__checked_runs"
# Also tests that read other models beside: all is there in the last of the phases.
_WITH_ALL_TESTS = ("--indirect-selection", "eager")
_CHUNK = 1 << 20


class AthenaWarehouse:
    """Glue databases with the prefix of the schema, on the lake and prefixes of the settings."""

    def __init__(self, settings: Settings, progress: Progress = lambda _: None) -> None:
        """Open clients; nothing is sent before it is needed."""
        self._settings = settings
        self._progress = progress
        self._session = open_session(settings)
        self._s3 = client(self._session, "s3")
        self._glue = client(self._session, "glue")
        self._athena = AthenaClient(client(self._session, "athena"), settings)

    def landed(self) -> Landed:
        """What the lake holds now."""
        lake = open_lake(self._settings)
        if not lake.names("raw_sales"):
            return read_landed(lake, None, None)
        if not self._reads_lake("raw_sales"):
            create_lake_sources(self._project)
        (bounds,) = self._athena.query(
            sales_bounds_sql(lambda table: self._table("lake", table))
        ).rows
        return read_landed(lake, *bounds)

    def landed_series(self, cutoffs: Sequence[date]) -> list[LandedSeries]:
        """The landed series at some cutoffs, without a build; cutoffs without one are left out."""
        sql = landed_series_sql(lambda table: self._table("lake", table), cutoffs)
        return [LandedSeries(*row) for row in self._athena.query(sql).rows]

    def build(self, selector: str | None, *, full_refresh: bool = False) -> BuildResult:
        """Run the models, seeds and tests of a selector, or all of them.

        Unit tests are left out: no data can change what they say. A full refresh builds what
        incremental models are made from, then those from nothing, then what follows from them, so
        that no table is dropped before it is built again.

        Raises:
            RunError: A model or an error-severity test failed; names each with its message.
        """
        if self._athena.stop_left_behind():
            self._progress("stopped the statements of a dbt that was killed")
        selection = ["--selector", selector] if selector else []
        # Incremental models are all among those that come after the prediction.
        if not full_refresh or selector == "pre_predict":
            return self._build(selector or "everything", selection)
        phases = [
            self._build(
                "what facts are made from",
                selection or ["--exclude", f"{_INCREMENTAL}+", *_WITH_ALL_TESTS],
            ),
            # Their tests come with the next phase, when what they are compared with is new too.
            self._build(
                "facts from nothing",
                # The view says which runs the tests look at: all, if a full refresh builds it.
                ["--select", _INCREMENTAL, _CHECKED_RUNS, "--exclude-resource-type", "test"],
                full_refresh=True,
            ),
            self._build(
                "what follows from facts", ["--select", f"{_INCREMENTAL}+", *_WITH_ALL_TESTS]
            ),
        ]
        return BuildResult(
            seconds=sum(phase.seconds for phase in phases),
            n_nodes=sum(phase.n_nodes for phase in phases),
            warnings=tuple(warning for phase in phases for warning in phase.warnings),
        )

    def cutoffs(self) -> list[Cutoff]:
        """The cutoffs that the exports are built for, oldest first."""
        found = self._athena.query(
            "select cutoff_date, horizon_weeks, kind, has_sales, newest_week_end_date"
            f" from {self._table('exports', 'exp_cutoffs')} order by cutoff_date"
        )
        return [Cutoff(*row) for row in found.rows]

    def export_training(self, cutoff: date, to: Path) -> TrainingRecords:
        """Write the training records of a cutoff as gzipped JSON lines on S3.

        Athena writes them and S3 copies them to names that the algorithm takes; the prefix below
        the settings' work prefix has the names of the folder of `to`.
        """
        columns = ['series_start as "start"', "target"]
        ((n_categories, n_features, n_records),) = self._athena.query(
            f"""
            select
                (select count(*) from {self._of("exp_categories", cutoff)}),
                (select count(*) from {self._of("exp_features", cutoff)}),
                (select count(*) from {self._of("exp_deepar__train", cutoff)})
            """
        ).rows
        columns += ["cat"] if n_categories else []
        columns += ["dynamic_feat"] if n_features else []
        channel = self._work(to.parent)
        channel.delete_all()
        if n_records:
            written = self._unload(
                f"select {', '.join(columns)} from {self._of('exp_deepar__train', cutoff)}", "JSON"
            )
            names = {
                name: f"part-{n:05d}.json.gz" for n, name in enumerate(sorted(written.sizes("")))
            }
            channel.copy(written, names)
            written.delete_all()
        return TrainingRecords(n_records, channel.uri)

    def export_encoding(self, cutoff: date, to: Path) -> Encoding:
        """Write the category map of a cutoff into the folder `to`; returns it with the features."""
        found = self._athena.query(
            "select cat_position, code, category_value"
            f" from {self._of('exp_categories', cutoff)} order by cat_position, code"
        )
        positions, codes, values = zip(*found.rows, strict=True) if found.rows else ([], [], [])
        categories = to / "categories.parquet"
        to.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            pa.table(
                {
                    "cat_position": pa.array(positions, pa.int32()),
                    "code": pa.array(codes, pa.int32()),
                    "category_value": pa.array(values, pa.string()),
                }
            ),
            categories,
        )
        return Encoding(self._features(cutoff), categories)

    def export_inference(self, cutoff: date, to: Path, encoding: Encoding) -> int:
        """Write the inference records of a cutoff as the encoding's model reads them.

        Series with a category that the model has not seen are left out.

        Raises:
            UserError: The warehouse has no feature of a name that the model was trained with.
        """
        columns = ["records.item_id", 'records.series_start as "start"', "records.target"]
        known = pq.read_table(encoding.categories)
        positions = sorted(set(known["cat_position"].to_pylist()))
        categories = self._known_categories(encoding.categories) if positions else ""
        joins = [
            f"inner join {categories} as known_{position} on {category_match(position)}"
            for position in positions
        ]
        if positions:
            columns.append(f"{category_column(positions)} as cat")
        if encoding.features:
            column = feature_column(self._features(cutoff), encoding.features, cutoff)
            columns.append(f"{column} as dynamic_feat")
        query = f"""
            select {", ".join(columns)}
            from {self._table("exports", "exp_deepar__inference")} as records
            inner join {self._table("exports", "exp_series")} as series
                on records.item_id = series.item_id and records.cutoff_date = series.cutoff_date
            {" ".join(joins)}
            where records.cutoff_date = {_day(cutoff)}
        """
        with self._unloaded_files(query, "JSON") as paths:
            return _join_lines(paths, to)

    def export_baseline(self, relation: str, cutoff: date, to: Path) -> int:
        """Write the forecasts of a SQL model at a cutoff as Parquet; returns the rows.

        Raises:
            UserError: The warehouse has no baseline of that name.
        """
        if self._storage("baselines", relation) is None:
            raise UserError(
                f"The warehouse has no baseline {relation}.",
                where="models.toml",
                fix="Name a model of models/baselines as the relation.",
            )
        table = self._table("baselines", relation)
        return self._export_rows(table, cutoff, "item_id, horizon_weeks", to)

    def export_run(self, relation: str, run_id: str, to: Path) -> int:
        """Write the rows of a run as Parquet; returns their number, 0 without such a table."""
        if self._storage("baselines", relation) is None:
            return 0
        table = self._table("baselines", relation)
        return self._export_where(
            table, f"run_id = {quoted_text(run_id)}", "item_id, horizon_weeks", to
        )

    def export_series(self, cutoff: date, to: Path) -> int:
        """Write the rows of exp_series at a cutoff as Parquet; returns their number."""
        return self._export_rows(self._table("exports", "exp_series"), cutoff, "item_id", to)

    def export_plausible_range(self, cutoff: date, to: Path) -> int:
        """Write the rows of exp_plausible_range at a cutoff as Parquet; returns their number."""
        table = self._table("exports", "exp_plausible_range")
        return self._export_rows(table, cutoff, "item_id", to)

    def export_closed_weeks(self, cutoff: date, to: Path) -> int:
        """Write the rows of exp_closed_weeks at a cutoff as Parquet; returns their number."""
        return self._export_weeks_ahead("exp_closed_weeks", cutoff, to)

    def export_shares_ahead(self, cutoff: date, to: Path) -> int:
        """Write the rows of exp_shares_ahead at a cutoff as Parquet; returns their number."""
        return self._export_weeks_ahead("exp_shares_ahead", cutoff, to, week_share=pa.float64())

    def _export_weeks_ahead(
        self, relation: str, cutoff: date, to: Path, **columns: pa.DataType
    ) -> int:
        table = self._table("exports", relation)
        n_rows = self._export_rows(table, cutoff, "item_id, horizon_weeks", to)
        if n_rows == 0:
            # Nothing is unloaded of an empty result, and a file says that there was none.
            keys = {"cutoff_date": pa.date32(), "item_id": pa.string(), "horizon_weeks": pa.int32()}
            to.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.schema({**keys, **columns}).empty_table(), to)
        return n_rows

    def _export_rows(self, table: str, cutoff: date, order: str, to: Path) -> int:
        return self._export_where(table, f"cutoff_date = {_day(cutoff)}", order, to)

    def _export_where(self, table: str, condition: str, order: str, to: Path) -> int:
        query = f"select * from {table} where {condition}"
        with self._unloaded_files(query, "PARQUET") as paths:
            if not paths:
                return 0
            to.parent.mkdir(parents=True, exist_ok=True)
            with duckdb.connect(config=self._settings.duckdb_config) as connection:
                row = connection.execute(
                    f"copy (select * from read_parquet(?) order by {order}) to ? (format parquet)",
                    [[file_pattern(path) for path in paths], str(to)],
                ).fetchone()
        return int(row[0]) if row else 0

    def publish(self) -> Path:
        """Copy what the report reads into `home/marts.duckdb`; returns its path.

        Everybody else reads the marts and reports on Athena, where they are as soon as they are
        built. Of tables that grow with each forecast only what has changed is read.
        """
        settings = self._settings
        tables = [(layer, name) for layer, names in REPORT_TABLES.items() for name in names]
        with ExitStack() as files, ThreadPoolExecutor(settings.athena_threads) as pool:
            copied = list(pool.map(lambda table: self._copied_table(files, *table), tables))
            publish_files(copied, settings.marts_file, config=settings.duckdb_config)
        return settings.marts_file

    def spent(self) -> Spent | None:
        """What this object's statements and builds have cost so far."""
        return self._athena.spent

    @property
    def _project(self) -> DbtProject:
        settings = self._settings
        environment = settings.environment() | {"AWS_REGION": str(self._session.region_name)}
        return DbtProject(settings.project, settings.home, environment)

    def _build(
        self, what: str, selection: Sequence[str], *, full_refresh: bool = False
    ) -> BuildResult:
        with self._athena.counting_dbt():
            return dbt_build(
                self._project,
                what,
                selection,
                full_refresh=full_refresh,
                progress=self._progress,
                failing_rows=self._failing_rows,
            )

    def _failing_rows(self, sql: str) -> list[str]:
        try:
            found = self._athena.query(f"select * from ({sql}) as failed limit 5")
        except (RunError, BotoCoreError, ClientError) as error:
            return [f"(the rows could not be read: {error})"]
        return [
            ", ".join(f"{name} = {value}" for name, value in zip(found.columns, row, strict=True))
            for row in found.rows
        ]

    def _features(self, cutoff: date) -> tuple[str, ...]:
        found = self._athena.query(
            f"select feature_name from {self._of('exp_features', cutoff)} order by feature_idx"
        )
        return tuple(name for (name,) in found.rows)

    def _known_categories(self, categories: Path) -> str:
        """Make a category map an external table; returns its name.

        One name serves all: a command that writes holds the lock.
        """
        schema = self._settings.schema_prefix
        place = self._prefix(self._settings.temp_uri).below(f"known_categories/{schema}")
        place.delete_all()
        place.upload(categories, "categories.parquet")
        database = f"{schema}_lake"
        self._athena.execute(f"drop table if exists `{database}`.`known_categories`")
        self._athena.execute(
            f"create external table `{database}`.`known_categories` "
            "(`cat_position` int, `code` int, `category_value` string)"
            f" stored as parquet location '{place.uri}/'"
        )
        return self._table("lake", "known_categories")

    def _unload(self, query: str, form: str) -> Prefix:
        temp = self._prefix(self._settings.temp_uri).below("unload")
        return self._athena.unload(query, temp, form=form)

    def _copied_table(self, files: ExitStack, layer: str, name: str) -> UnloadedTable:
        """A table's rows as files that are there as long as `files`."""
        self._progress(f"publish: {name}")
        schema, table = f"{self._settings.schema_prefix}_{layer}", self._table(layer, name)
        types = self._column_types(layer, name)

        def unloaded(query: str) -> list[Path]:
            return files.enter_context(self._unloaded_files(query, "PARQUET"))

        if name not in REPORT_COLUMNS:
            return UnloadedTable(schema, name, types, unloaded(f"select * from {table}"))
        types = {column: types[column] for column in REPORT_COLUMNS[name] if column in types}
        rows = f"select {', '.join(map(quoted_name, types))} from {table}"
        # A table that was made anew has another place.
        origin = f"Copied from {(self._storage(layer, name) or {}).get('Location')}"
        stamps = unloaded(stamps_query(table))
        taken_over = take_over(
            self._settings.marts_file,
            schema,
            name,
            columns=types,
            origin=origin,
            stamps=stamps,
            config=self._settings.duckdb_config,
            to=Path(files.enter_context(self._spill_folder())) / "taken_over.parquet",
        )
        if taken_over is None:
            return UnloadedTable(schema, name, types, unloaded(rows), stamps, origin)
        paths = [taken_over.rows]
        if taken_over.condition is not None:
            paths += unloaded(f"{rows} where {taken_over.condition}")
        return UnloadedTable(schema, name, types, paths, stamps, origin)

    def _spill_folder(self) -> TemporaryDirectory[str]:
        self._settings.spill.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(dir=self._settings.spill, prefix="unload-")

    @contextmanager
    def _unloaded_files(self, query: str, form: str) -> Iterator[list[Path]]:
        """The rows of a query as files that are there while the block runs."""
        written = self._unload(query, form)
        try:
            with self._spill_folder() as folder:
                yield written.download_all(sorted(written.sizes("")), Path(folder))
        finally:
            written.delete_all()

    def _work(self, folder: Path) -> Prefix:
        """The prefix that is named like a folder of the batches."""
        name = folder.relative_to(self._settings.batches).as_posix()
        return self._prefix(self._settings.work_uri).below(name)

    def _prefix(self, uri: str) -> Prefix:
        return open_prefix(self._s3, uri, self._settings.kms_key_id)

    def _reads_lake(self, name: str) -> bool:
        """Whether a lake table is there and stands on the lake of the settings."""
        held = self._storage("lake", name)
        place = f"{self._settings.lake_uri}/{name}"
        return held is not None and str(held["Location"]).rstrip("/") == place

    def _storage(self, layer: str, name: str) -> dict[str, Any] | None:
        """Columns and place of a table as Glue has them; None if there is no such table."""
        schema = f"{self._settings.schema_prefix}_{layer}"
        try:
            found = self._glue.get_table(DatabaseName=schema, Name=name)
        except self._glue.exceptions.EntityNotFoundException:
            return None
        return dict(found["Table"]["StorageDescriptor"])

    def _column_types(self, layer: str, name: str) -> dict[str, str]:
        """A table's columns with Glue's types."""
        held = self._storage(layer, name) or {"Columns": []}
        return {each["Name"]: each["Type"] for each in held["Columns"]}

    def _of(self, name: str, cutoff: date) -> str:
        """An export of one cutoff, to select from."""
        table = self._table("exports", name)
        return f"(select * from {table} where cutoff_date = {_day(cutoff)}) as {name}"

    def _table(self, layer: str, name: str) -> str:
        return f'"{self._settings.schema_prefix}_{layer}"."{name}"'


def _join_lines(paths: Sequence[Path], to: Path) -> int:
    """Put gzipped files of lines together as one plain file; returns its number of lines."""
    to.parent.mkdir(parents=True, exist_ok=True)
    n_lines = 0
    with to.open("wb") as target:
        for path in paths:
            with gzip.open(path) as source:
                while chunk := source.read(_CHUNK):
                    n_lines += chunk.count(b"\n")
                    target.write(chunk)
    return n_lines


def _day(day: date) -> str:
    return f"date {quoted_text(day.isoformat())}"
