"""The embedded warehouse: one DuckDB file, opened only under the home's lock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from salescast.child import Progress
from salescast.errors import RunError, UserError
from salescast.lake import LAKE_SCHEMAS, Lake
from salescast.lake.trained_models import Encoding
from salescast.marts.publish import publish_marts
from salescast.settings import Settings
from salescast.sql_text import file_pattern, quoted_name
from salescast.warehouse import (
    BuildResult,
    Cutoff,
    Landed,
    LandedSeries,
    Spent,
    TrainingRecords,
    database_file,
)
from salescast.warehouse.dbt import DbtProject, dbt_build
from salescast.warehouse.landed import landed_series_sql, read_landed, sales_bounds_sql
from salescast.warehouse.trained_columns import category_column, category_match, feature_column

_SERIES_A_PART = 20_000
"""Series whose lines are sorted in memory at a time."""


class DuckDBWarehouse:
    """`home/warehouse.duckdb` with the lake in `home/lake`."""

    def __init__(self, settings: Settings, progress: Progress = lambda _: None) -> None:
        """Keep the settings; nothing is opened before it is needed."""
        self._settings = settings
        self._progress = progress

    def landed(self) -> Landed:
        """What the lake holds now."""
        lake = Lake(self._settings.lake)
        with _connect(self._settings) as connection:
            sql = sales_bounds_sql(lambda table: f"({lake.scan_sql(table)})")
            row = connection.execute(sql).fetchone()
        assert row is not None
        return read_landed(lake, row[0], row[1])

    def landed_series(self, cutoffs: Sequence[date]) -> list[LandedSeries]:
        """The landed series at some cutoffs, without a build; cutoffs without one are left out."""
        lake = Lake(self._settings.lake)
        sql = landed_series_sql(lambda table: f"({lake.scan_sql(table)})", cutoffs)
        with _connect(self._settings) as connection:
            return [LandedSeries(*row) for row in connection.execute(sql).fetchall()]

    def build(self, selector: str | None, *, full_refresh: bool = False) -> BuildResult:
        """Run the models, seeds and tests of a selector, or all of them.

        Raises:
            RunError: A model or an error-severity test failed; names each with its message.
        """
        settings = self._settings
        settings.spill.mkdir(parents=True, exist_ok=True)
        lake = Lake(settings.lake)
        landed = {table: n for table in LAKE_SCHEMAS if (n := len(lake.names(table)))}
        # What dbt has to find: a lake that it reads as empty would empty the marts in silence.
        environment = settings.environment() | {"SALESCAST_LANDED_FILES": json.dumps(landed)}
        return dbt_build(
            DbtProject(settings.project, settings.home, environment),
            selector or "everything",
            ["--selector", selector] if selector else [],
            full_refresh=full_refresh,
            progress=self._progress,
            failing_rows=self._failing_rows,
        )

    def cutoffs(self) -> list[Cutoff]:
        """The cutoffs that the exports are built for, oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                f"""
                select cutoff_date, horizon_weeks, kind, has_sales, newest_week_end_date
                from {self._table("exports", "exp_cutoffs")} order by cutoff_date
                """
            ).fetchall()
        return [Cutoff(*row) for row in rows]

    def judged(
        self,
    ) -> tuple[
        list[tuple[str, str, str | None, int, str | None]], list[tuple[str, date, int, float]]
    ]:
        """What staging made of the landed rows, and the sales that count by store and month.

        Returns:
            Lake table, status, reason, number of rows and an example of what is rejected; and
            store, first day of the month, rows and sum of sales.
        """
        models = {
            "raw_sales": "stg_retail__sales_judged",
            "raw_related": "stg_retail__related_series_judged",
            "raw_stores": "stg_retail__stores_judged",
            "raw_departments": "stg_retail__departments_judged",
            "raw_series_changes": "stg_retail__series_changes_judged",
        }
        parts = [
            f"select '{table}' as table_name, row_status, rejection_reason"
            f" from {self._table('staging', model)}"
            for table, model in models.items()
        ]
        with self._open() as connection:
            statuses = connection.execute(
                f"""
                with examples as (
                    select
                        table_name, rejection_reason,
                        arg_min(
                            source_file || ', row ' || source_row || ': ' || row_text, source_row
                        ) as example
                    from {self._table("staging", "stg_retail__rejected_rows")} group by all
                )
                select table_name, row_status, rejection_reason, count(*), any_value(example)
                from ({" union all ".join(parts)})
                left join examples using (table_name, rejection_reason)
                group by all order by 1, 4 desc
                """
            ).fetchall()
            months = connection.execute(
                f"""
                select store_id, cast(date_trunc('month', sales_date) as date), count(*), sum(sales)
                from {self._table("staging", "stg_retail__sales")} group by all order by 1, 2
                """
            ).fetchall()
        return statuses, months

    def export_training(self, cutoff: date, to: Path) -> TrainingRecords:
        """Write the training records of a cutoff as gzipped JSON lines.

        Series in random order is what the algorithm asks for; this one is the same on every
        machine. Many series are sorted and written a part at a time, so that memory stays bounded.
        """
        table = self._table("exports", "exp_deepar__train")
        with self._open() as connection:
            columns = {"start": "records.series_start", "target": "records.target"}
            if self._count(connection, "exp_categories", cutoff):
                columns["cat"] = "records.cat"
            if self._count(connection, "exp_features", cutoff):
                columns["dynamic_feat"] = "records.dynamic_feat"
            n_parts = 1 + self._count(connection, "exp_series", cutoff) // _SERIES_A_PART
            n_records = 0
            for part in range(n_parts):
                part_file = to if part == 0 else to.with_name(f"part-{part}-{to.name}")
                n_records += _copy_lines(
                    connection,
                    columns,
                    f"{table} as records",
                    "records.cutoff_date = ?"
                    f" and md5_number_lower(records.item_id) % {n_parts} = {part}",
                    [cutoff],
                    part_file,
                    order_by="order by md5(records.item_id)",
                )
                if part:
                    _append(part_file, to)
        return TrainingRecords(n_records, str(to.parent))

    def export_encoding(self, cutoff: date, to: Path) -> Encoding:
        """Write the category map of a cutoff into the folder `to`; returns it with the features."""
        categories = to / "categories.parquet"
        with self._open() as connection:
            _copy(
                connection,
                f"""
                select cat_position, code, category_value
                from {self._table("exports", "exp_categories")}
                where cutoff_date = ? order by cat_position, code
                """,
                [cutoff],
                categories,
                "format parquet",
            )
            return Encoding(self._features(connection, cutoff), categories)

    def export_inference(self, cutoff: date, to: Path, encoding: Encoding) -> int:
        """Write the inference records of a cutoff as the encoding's model reads them.

        Series with a category that the model has not seen are left out.

        Raises:
            UserError: The warehouse has no feature of a name that the model was trained with.
        """
        with self._open() as connection:
            columns = {
                "item_id": "records.item_id",
                "start": "records.series_start",
                "target": "records.target",
            }
            joins, conditions = [], []
            parameters: list[Any] = []
            positions = connection.execute(
                "select distinct cat_position from read_parquet(?) order by cat_position",
                [file_pattern(encoding.categories)],
            ).fetchall()
            for (position,) in positions:
                joins.append(
                    f"left join read_parquet(?) as known_{position} on {category_match(position)}"
                )
                conditions.append(f"and known_{position}.code is not null")
                parameters.append(file_pattern(encoding.categories))
            if positions:
                columns["cat"] = category_column([position for (position,) in positions])
            if encoding.features:
                columns["dynamic_feat"] = feature_column(
                    self._features(connection, cutoff), encoding.features, cutoff
                )
            return _copy_lines(
                connection,
                columns,
                f"""
                {self._table("exports", "exp_deepar__inference")} as records
                inner join {self._table("exports", "exp_series")} as series
                    on records.item_id = series.item_id
                    and records.cutoff_date = series.cutoff_date
                {" ".join(joins)}
                """,
                f"records.cutoff_date = ? {' '.join(conditions)}",
                [*parameters, cutoff],
                to,
            )

    def export_baseline(self, relation: str, cutoff: date, to: Path) -> int:
        """Write the forecasts of a SQL model at a cutoff as Parquet; returns the rows.

        Raises:
            UserError: The warehouse has no baseline of that name.
        """
        with self._open() as connection:
            try:
                return _copy(
                    connection,
                    f"""
                    select * from {self._table("baselines", relation)} where cutoff_date = ?
                    order by item_id, horizon_weeks
                    """,
                    [cutoff],
                    to,
                    "format parquet",
                )
            except duckdb.CatalogException as error:
                raise UserError(
                    f"The warehouse has no baseline {relation}.",
                    where="models.toml",
                    fix="Name a model of models/baselines as the relation.",
                ) from error

    def export_run(self, relation: str, run_id: str, to: Path) -> int:
        """Write the rows of a run as Parquet; returns their number, 0 without such a table."""
        table = self._table("baselines", relation)
        with self._open() as connection:
            try:
                rows = connection.execute(
                    f"select count(*) from {table} where run_id = ?", [run_id]
                ).fetchall()
            except duckdb.CatalogException:
                return 0
            if rows == [(0,)]:
                return 0
            return _copy(
                connection,
                f"select * from {table} where run_id = ? order by item_id, horizon_weeks",
                [run_id],
                to,
                "format parquet",
            )

    def export_series(self, cutoff: date, to: Path) -> int:
        """Write the rows of exp_series at a cutoff as Parquet; returns their number."""
        return self._export_items("exp_series", cutoff, to)

    def export_plausible_range(self, cutoff: date, to: Path) -> int:
        """Write the rows of exp_plausible_range at a cutoff as Parquet; returns their number."""
        return self._export_items("exp_plausible_range", cutoff, to)

    def export_closed_weeks(self, cutoff: date, to: Path) -> int:
        """Write the rows of exp_closed_weeks at a cutoff as Parquet; returns their number."""
        return self._export_items("exp_closed_weeks", cutoff, to, "item_id, horizon_weeks")

    def export_shares_ahead(self, cutoff: date, to: Path) -> int:
        """Write the rows of exp_shares_ahead at a cutoff as Parquet; returns their number."""
        return self._export_items("exp_shares_ahead", cutoff, to, "item_id, horizon_weeks")

    def _export_items(self, relation: str, cutoff: date, to: Path, order: str = "item_id") -> int:
        with self._open() as connection:
            return _copy(
                connection,
                f"""
                select * from {self._table("exports", relation)}
                where cutoff_date = ? order by {order}
                """,
                [cutoff],
                to,
                "format parquet",
            )

    def publish(self) -> Path:
        """Copy the marts and reports into `home/marts.duckdb`; returns its path."""
        settings = self._settings
        with _told(settings.warehouse_file):
            publish_marts(
                settings.warehouse_file,
                settings.marts_file,
                schemas=(f"{settings.schema_prefix}_marts", f"{settings.schema_prefix}_reports"),
                config=settings.duckdb_config,
            )
        return settings.marts_file

    def spent(self) -> Spent | None:
        """None: nothing is billed."""
        return None

    def _failing_rows(self, sql: str) -> list[str]:
        with self._open() as connection:
            try:
                found = connection.execute(f"select * from ({sql}) limit 5")
            except duckdb.Error as error:
                return [f"(the rows could not be read: {error})"]
            names = [column[0] for column in found.description or []]
            return [
                ", ".join(f"{name} = {value}" for name, value in zip(names, row, strict=True))
                for row in found.fetchall()
            ]

    def _features(self, connection: duckdb.DuckDBPyConnection, cutoff: date) -> tuple[str, ...]:
        rows = connection.execute(
            f"select feature_name from {self._table('exports', 'exp_features')}"
            " where cutoff_date = ? order by feature_idx",
            [cutoff],
        ).fetchall()
        return tuple(name for (name,) in rows)

    def _count(self, connection: duckdb.DuckDBPyConnection, relation: str, cutoff: date) -> int:
        row = connection.execute(
            f"select count(*) from {self._table('exports', relation)} where cutoff_date = ?",
            [cutoff],
        ).fetchone()
        return int(row[0]) if row else 0

    def _table(self, layer: str, name: str) -> str:
        return f"{quoted_name(f'{self._settings.schema_prefix}_{layer}')}.{quoted_name(name)}"

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        path = self._settings.warehouse_file
        if not path.is_file():
            raise RunError(
                "There is no warehouse yet.", where=str(path), fix="Run `salescast build` first."
            )
        with _told(path), _connect(self._settings, path) as connection:
            yield connection


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell what is wrong with the warehouse file; any other error passes as it came."""
    try:
        yield
    except duckdb.Error as error:
        if (problem := database_file.told(str(error), path)) is None:
            raise
        raise problem from error


@contextmanager
def _connect(settings: Settings, path: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(
        str(path) if path else ":memory:", read_only=path is not None, config=settings.duckdb_config
    )
    try:
        yield connection
    finally:
        connection.close()


def _copy_lines(
    connection: duckdb.DuckDBPyConnection,
    columns: Mapping[str, str],
    tables: str,
    condition: str,
    parameters: Sequence[Any],
    to: Path,
    *,
    order_by: str = "",
) -> int:
    """COPY rows to a file of JSON lines. Returns the number of lines.

    Series of one store share their features, which are most of a line: they become text once for
    each `dynamic_feat_key`, and a line is put together from texts.

    Args:
        connection: A connection to the warehouse.
        columns: Expression over `records` for each key of a line.
        tables: What to read, with an export view as `records`.
        condition: Which rows to take.
        parameters: Values of the placeholders in `tables` and `condition`.
        to: The file.
        order_by: An order of the lines, as a clause; none by default.
    """
    texts = {key: f"cast(to_json({value}) as varchar)" for key, value in columns.items()}
    features = "select null as dynamic_feat_key, null as feature_text"
    if "dynamic_feat" in columns:
        # One record stands for all with its key: the others' features are never read.
        examples = connection.execute(
            f"select min(records.item_id) from {tables} where {condition}"
            " group by records.dynamic_feat_key",
            parameters,
        ).fetchall()
        text = f"cast(to_json({columns['dynamic_feat']}) as varchar)"
        # Most features are counts: 0 for 0.0 makes the file smaller by a third.
        whole = f"replace(replace({text}, '.0,', ','), '.0]', ']')"
        features = f"""
            select records.dynamic_feat_key, {whole} as feature_text
            from {tables} where {condition}
                and records.item_id in ({", ".join("?" for _ in examples) or "null"})
        """
        parameters = [*parameters, *(item_id for (item_id,) in examples), *parameters]
        texts["dynamic_feat"] = "features.feature_text"
    members = ", ',', ".join(f"'\"{key}\":', {text}" for key, text in texts.items())
    return _copy(
        connection,
        f"""
        with features as ({features})
        select concat('{{', {members}, '}}') as line
        from {tables}
        left join features on records.dynamic_feat_key = features.dynamic_feat_key
        where {condition} {order_by}
        """,
        parameters,
        to,
        # A line is written as it is: no quotes are added, and JSON holds no control character.
        "format csv, header false, quote '', escape '', delimiter '\x1f'",
    )


def _append(part: Path, to: Path) -> None:
    """Move a part to the end of a file; joined gzip members are one gzip file."""
    with part.open("rb") as source, to.open("ab") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    part.unlink()


def _copy(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    parameters: Sequence[Any],
    to: Path,
    options: str,
) -> int:
    """COPY a query to a file; gzipped if its name says so. Returns the number of rows."""
    to.parent.mkdir(parents=True, exist_ok=True)
    compression = ", compression gzip" if to.suffix == ".gz" else ""
    row = connection.execute(
        f"copy ({query}) to ? ({options}{compression})", [*parameters, str(to)]
    ).fetchone()
    return int(row[0]) if row else 0
