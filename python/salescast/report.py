"""The report: one HTML file that shows the newest forecasts beside what was sold.

It reads the published marts file only, aggregates in SQL and writes a page that opens from disk
without a network. Ratios come from the additive sums of the marts, never from other ratios.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from salescast.errors import RunError, UserError

__all__ = ["write_report"]

logger = logging.getLogger(__name__)

Row = dict[str, Any]
Figure = dict[str, Any]

NAIVE = "snaive_52"
HORIZON_BANDS = ["1-4", "5-13", "14-26", "27+"]
WEEKS_OF_HISTORY = 104
WEEKS_BEFORE_CUTOFF = 40
MAX_BACKTESTS_DRAWN = 3
MAX_CUTOFFS_LISTED = 8
MAX_MODELS_DRAWN = 4
MAX_LABELLED_EVENTS = 45
N_SERIES_SHOWN = 3
N_STORES_SHOWN = 10
DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

REQUIRED_TABLES = {
    "marts": [
        "fct_weekly_sales",
        "fct_forecast_vs_actual",
        "dim_week",
        "dim_series",
        "dim_store",
        "dim_department",
        "dim_forecast_run",
    ],
    "reports": [
        "rpt_forecast_latest",
        "rpt_forecast_accuracy",
        "rpt_rejected_rows",
        "rpt_batches",
    ],
}

INK = "#1c1f24"
MUTED = "#5c6470"
BLUE = "#1257b0"
LIGHT_BLUE = "#4a8fe0"
BAND = "rgba(18, 87, 176, 0.16)"
GREY = "#7d8590"
GRID = "#e7e9ed"
EVENT_FILL = "#f6ead0"
EVENT_INK = "#7a5a10"
OTHER_MODELS = ["#0b7a6f", "#b3541e", "#7a4fa3"]

# Ratios of any set of rpt_forecast_accuracy rows; the ratio comes last, after the sums.
ACCURACY_RATIOS = """
    sum(n_rows) as n_rows,
    sum(sum_abs_error) / nullif(sum(sum_abs_actual), 0) as wape,
    2 * (sum(sum_pinball_loss_p10) + sum(sum_pinball_loss_p50) + sum(sum_pinball_loss_p90)) / 3
        / nullif(sum(sum_abs_actual), 0) as wql,
    sum(n_inside_p10_p90) / nullif(sum(n_with_band), 0) as coverage,
    sum(sum_error) / nullif(sum(sum_abs_actual), 0) as bias,
    1 - sum(sum_abs_error_with_naive) / nullif(sum(sum_naive_abs_error), 0) as value_added
"""


def write_report(marts: Path, out: Path, *, schema: str = "salescast") -> Path:
    """Write the report of a published marts file as one self-contained HTML file.

    Args:
        marts: The published DuckDB file; it is opened read-only.
        out: The HTML file to write; its folder is made, an older file is replaced in one step.
        schema: Prefix of the schemas, as in `<schema>_marts`.

    Returns:
        The path that was written.

    Raises:
        UserError: The file does not exist or holds no marts under this schema.
        RunError: The file cannot be opened or the page cannot be written.
    """
    if not marts.is_file():
        raise UserError(
            "There are no published marts to report on.",
            where=str(marts),
            fix="Land data with `salescast ingest PATH`, then run `salescast run`.",
        )
    try:
        connection = duckdb.connect(str(marts), read_only=True)
    except duckdb.Error as error:
        raise RunError(
            f"The marts file cannot be opened: {error}",
            where=str(marts),
            fix="Close programs that hold it for writing, or publish it again: `salescast build`.",
        ) from error
    with connection:
        source = _Marts(connection, schema)
        missing = source.missing_tables()
        if missing:
            raise UserError(
                f"The marts file lacks {', '.join(missing)}.",
                where=str(marts),
                fix="Publish it with `salescast build`, or set SALESCAST_SCHEMA to its schema.",
            )
        try:
            page = _page(source)
        except duckdb.Error as error:
            raise RunError(
                f"The marts cannot be read: {error}",
                where=str(marts),
                fix="Publish them again with this version: `salescast build`.",
            ) from error
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = out.with_name(f".{out.name}.tmp")
        unfinished.write_text(_render(page), encoding="utf-8")
        unfinished.replace(out)
    except OSError as error:
        raise RunError(
            f"The report cannot be written: {error}",
            where=str(out),
            fix="Choose a file in a folder you may write to.",
        ) from error
    logger.info("wrote %s", out)
    return out


class _Marts:
    """Queries on the published file; `{marts}` and `{reports}` in the SQL name its schemas."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        self._connection = connection
        self._schemas = {"marts": f"{schema}_marts", "reports": f"{schema}_reports"}
        self._quoted = {
            key: '"' + name.replace('"', '""') + '"' for key, name in self._schemas.items()
        }

    def rows(self, sql: str, **parameters: Any) -> list[Row]:
        cursor = self._connection.execute(sql.format(**self._quoted), parameters)
        names = [column[0] for column in cursor.description or []]
        return [
            # JSON and number formats know no NaN: what is not finite is shown as missing.
            {
                name: None if isinstance(value, float) and not isfinite(value) else value
                for name, value in zip(names, values, strict=True)
            }
            for values in cursor.fetchall()
        ]

    def row(self, sql: str, **parameters: Any) -> Row:
        return self.rows(sql, **parameters)[0]

    def missing_tables(self) -> list[str]:
        found = {
            (row["table_schema"], row["table_name"])
            for row in self.rows("select table_schema, table_name from information_schema.tables")
        }
        return [
            f"{self._schemas[key]}.{table}"
            for key, tables in REQUIRED_TABLES.items()
            for table in tables
            if (self._schemas[key], table) not in found
        ]


@dataclass(frozen=True)
class _Scope:
    """The cutoffs on which the judged model is compared with the naive."""

    model_id: str
    kind: str
    cutoffs: list[date]
    has_naive: bool

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys([self.model_id, *([NAIVE] if self.has_naive else [])]))


# --- what the page holds ---


def _page(source: _Marts) -> Row:
    """Everything the template shows, in the order it shows it."""
    newest_week = source.row(
        "select max(week_end_date) as week from {marts}.fct_weekly_sales where sales is not null"
    )["week"]
    latest = source.row(
        """
        select max(model_id) as model_id, max(run_id) as run_id, max(cutoff_date) as cutoff_date,
            max(week_end_date) as last_week
        from {reports}.rpt_forecast_latest
        where is_forecast
        """
    )
    scope = _scope(source, latest["model_id"])
    events = _events(source)
    figures: dict[str, Figure] = {}
    chain = _chain(source, latest, scope, events, newest_week)
    if chain["figure"]:
        figures["chain"] = chain["figure"]
    accuracy = _accuracy(source, scope)
    figures.update(accuracy["figures"])
    series = _best_and_worst(source, scope, events)
    for entry in [*series["best"], *series["worst"]]:
        figures[entry["chart"]] = entry["figure"]
    return {
        "written_at": datetime.now(UTC).replace(tzinfo=None),
        "newest_week": newest_week,
        "suggested_cutoff": newest_week - timedelta(weeks=13) if newest_week else None,
        "counts": source.row(
            """
            select count(distinct item_id) as n_series, count(distinct store_id) as n_stores,
                min(week_end_date) as first_week
            from {marts}.fct_weekly_sales
            """
        ),
        "latest": latest,
        "weeks_since_cutoff": (
            (newest_week - latest["cutoff_date"]).days // 7
            if newest_week and latest["cutoff_date"]
            else 0
        ),
        "newest_runs": _newest_runs(source),
        "ahead": [_weeks_ahead(source, newest_week, n_weeks) for n_weeks in (4, 13)],
        "scope": scope,
        "chain": chain,
        "accuracy": accuracy,
        "series": series,
        "stores": _stores(source, scope, newest_week),
        "rejected": source.rows(
            "select * from {reports}.rpt_rejected_rows order by n_rows desc, table_name, reason"
        ),
        "batches": source.rows(
            "select * from {reports}.rpt_batches order by started_at desc, batch_id limit 8"
        ),
        "runs": source.rows(
            """
            select * from {marts}.dim_forecast_run where is_current
            order by kind = 'forecast' desc, cutoff_date desc, landed_at desc, model_id limit 24
            """
        ),
        "figures": figures,
    }


def _newest_runs(source: _Marts) -> list[Row]:
    """The newest current forecast run of each model."""
    return source.rows(
        """
        select * from {marts}.dim_forecast_run
        where is_current and kind = 'forecast'
        qualify row_number() over (
            partition by model_id order by cutoff_date desc, landed_at desc, run_id desc
        ) = 1
        order by is_champion desc, model_id
        """
    )


def _weeks_ahead(source: _Marts, newest_week: date | None, n_weeks: int) -> Row:
    """The chain's forecast of the next weeks beside the same weeks of last year (52 weeks before).

    Means add up over series and weeks, so the total is a sum of means. The change is taken over the
    weeks that have sales of last year.
    """
    return source.row(
        """
        with ahead as (
            select week_end_date, coalesce(mean, p50) as forecast
            from {reports}.rpt_forecast_latest
            where level = 'chain' and is_forecast and week_end_date > $newest_week
            order by week_end_date
            limit $n_weeks
        ),
        last_year as (
            select week_end_date + 364 as week_end_date, sum(sales) as actual
            from {marts}.fct_weekly_sales
            group by 1
        )
        select
            $n_weeks as asked_weeks,
            count(forecast) as n_weeks,
            min(week_end_date) as first_week,
            max(week_end_date) as last_week,
            sum(forecast) as forecast,
            sum(actual) as last_year,
            count(actual) as n_weeks_last_year,
            sum(forecast) filter (where actual is not null) / nullif(sum(actual), 0) - 1 as change
        from ahead left join last_year using (week_end_date)
        """,
        newest_week=newest_week,
        n_weeks=n_weeks,
    )


def _events(source: _Marts) -> list[Row]:
    return source.rows(
        """
        select week_end_date as week, coalesce(nullif(events, ''), 'holiday') as name
        from {marts}.dim_week
        where nullif(events, '') is not null or is_holiday_week
        order by week_end_date
        """
    )


# --- accuracy ---


def _scope(source: _Marts, forecast_model: str | None) -> _Scope | None:
    """Choose the model and cutoffs of the accuracy figures; None when nothing was judged.

    Backtests come before live forecasts, whose weeks have only partly passed; only cutoffs that the
    naive has been judged on too are pooled, so that both stand on the same weeks.
    """
    judged = source.rows(
        """
        select model_id, kind, list(distinct cutoff_date order by cutoff_date desc) as cutoffs
        from {reports}.rpt_forecast_accuracy
        where level = 'store-department' and sum_abs_actual > 0
        group by model_id, kind
        """
    )
    if not judged:
        return None
    champions = source.rows(
        "select distinct model_id from {marts}.dim_forecast_run where is_champion"
    )
    preferred = [forecast_model, *(row["model_id"] for row in champions), "deepar"]
    candidates = {row["model_id"] for row in judged}
    challengers = [m for m in preferred if m in candidates and m != NAIVE]
    model_id = (challengers or sorted(candidates - {NAIVE}) or [NAIVE])[0]
    cutoffs = {(row["model_id"], row["kind"]): row["cutoffs"] for row in judged}
    kind = "backtest" if (model_id, "backtest") in cutoffs else "forecast"
    own = cutoffs[model_id, kind]
    shared = [cutoff for cutoff in own if cutoff in cutoffs.get((NAIVE, kind), [])]
    return _Scope(model_id, kind, shared or own, has_naive=bool(shared))


_IN_SCOPE = "kind = $kind and list_contains($cutoffs::date[], cutoff_date)"


def _accuracy(source: _Marts, scope: _Scope | None) -> Row:
    if scope is None:
        return {"groups": [], "n_cutoffs_hidden": 0, "headline": {}, "levels": [], "figures": {}}
    by_cutoff = source.rows(
        f"""
        select kind, cutoff_date, model_id, {ACCURACY_RATIOS}
        from {{reports}}.rpt_forecast_accuracy
        where level = 'store-department' and list_contains($bands, horizon_band)
        group by all
        having sum(sum_abs_actual) > 0
        order by kind, cutoff_date desc, wape
        """,
        bands=HORIZON_BANDS,
    )
    groups: dict[tuple[str, date], list[Row]] = {}
    for row in by_cutoff:
        groups.setdefault((row["kind"], row["cutoff_date"]), []).append(row)
    for rows in groups.values():
        _mark_best(rows)
    pooled = source.rows(
        f"""
        select model_id, level, horizon_band, {ACCURACY_RATIOS}
        from {{reports}}.rpt_forecast_accuracy
        where {_IN_SCOPE} and list_contains($bands, horizon_band)
        group by grouping sets ((model_id, level), (model_id, level, horizon_band))
        having sum(sum_abs_actual) > 0
        """,
        kind=scope.kind,
        cutoffs=scope.cutoffs,
        bands=HORIZON_BANDS,
    )
    complete = {
        row["model_id"]
        for row in source.rows(
            f"""
            select model_id from {{reports}}.rpt_forecast_accuracy
            where level = 'store-department' and sum_abs_actual > 0 and {_IN_SCOPE}
            group by model_id having count(distinct cutoff_date) = len($cutoffs)
            """,
            kind=scope.kind,
            cutoffs=scope.cutoffs,
        )
    }
    others = sorted(complete - set(scope.models))
    models = [*scope.models, *others][:MAX_MODELS_DRAWN]
    items = [row for row in pooled if row["level"] == "store-department"]
    by_band = {(row["model_id"], row["horizon_band"]): row for row in items if row["horizon_band"]}
    levels = []
    for level in ("store-department", "store", "department", "chain"):
        of_level = {
            row["model_id"]: row
            for row in pooled
            if row["level"] == level and row["horizon_band"] is None
        }
        if scope.model_id in of_level:
            levels.append({"level": level, "models": of_level})
    return {
        "groups": list(groups.values())[:MAX_CUTOFFS_LISTED],
        "n_cutoffs_hidden": max(0, len(groups) - MAX_CUTOFFS_LISTED),
        "headline": {row["model_id"]: row for row in items if row["horizon_band"] is None},
        "levels": levels,
        "figures": {
            "wape_by_band": _band_figure(by_band, models, "wape"),
            "coverage_by_band": _band_figure(by_band, models, "coverage"),
        },
    }


def _mark_best(rows: list[Row]) -> None:
    """Name the columns in which each model of one cutoff is the best; ties are all best."""
    badness: dict[str, Callable[[float], float]] = {
        "wape": lambda value: value,
        "wql": lambda value: value,
        "coverage": lambda value: abs(value - 0.8),
        "bias": abs,
        "value_added": lambda value: -value,
    }
    for row in rows:
        row["best"] = set()
    for name, measure in badness.items():
        known = [row for row in rows if row[name] is not None]
        if len(known) < 2:
            continue
        lowest = min(measure(row[name]) for row in known)
        for row in known:
            if measure(row[name]) == lowest:
                row["best"].add(name)


def _best_and_worst(source: _Marts, scope: _Scope | None, events: list[Row]) -> Row:
    """The series with the highest and lowest value added (WAPE without a naive), each charted.

    Only series whose summed actual is above the median take part, so that the list does not
    fill with series that hardly sell; with few series all take part.
    """
    if scope is None:
        return {"best": [], "worst": [], "by_value_added": False}
    by_value_added = scope.has_naive and scope.model_id != NAIVE
    ranked = source.rows(
        f"""
        with judged as (
            select
                f.item_id,
                sum(f.abs_error) as sum_abs_error,
                sum(f.abs_actual) as sum_abs_actual,
                sum(f.abs_error) / nullif(sum(f.abs_actual), 0) as wape,
                1 - sum(f.abs_error) filter (where f.naive_abs_error is not null)
                    / nullif(sum(f.naive_abs_error), 0) as value_added
            from {{marts}}.fct_forecast_vs_actual as f
            join {{marts}}.dim_forecast_run as r using (run_id)
            where r.is_current and f.model_id = $model_id and f.actual is not null
                and r.kind = $kind and list_contains($cutoffs::date[], r.cutoff_date)
            group by f.item_id
        ),
        ranked as (
            select *, {"-value_added" if by_value_added else "wape"} as badness
            from judged
            where {"value_added" if by_value_added else "wape"} is not null
                and (
                    sum_abs_actual > (select median(sum_abs_actual) from judged)
                    or (select count(*) from judged) < {4 * N_SERIES_SHOWN}
                )
        ),
        numbered as (
            select *,
                row_number() over (order by badness, sum_abs_actual desc, item_id) as place,
                count(*) over () as n_ranked,
                (select count(*) from judged) as n_judged
            from ranked
        )
        select n.*, s.store_id, s.department_id,
            nullif(d.department_name, d.department_id) as department_name
        from numbered as n
        left join {{marts}}.dim_series as s using (item_id)
        left join {{marts}}.dim_department as d using (department_id)
        where n.place <= {N_SERIES_SHOWN} or n.place > n.n_ranked - {N_SERIES_SHOWN}
        order by n.place
        """,
        model_id=scope.model_id,
        kind=scope.kind,
        cutoffs=scope.cutoffs,
    )
    lines = _series_lines(source, scope, [row["item_id"] for row in ranked])
    for number, row in enumerate(ranked):
        row["chart"] = f"series_{number}"
        row["figure"] = _series_figure(lines[row["item_id"]], scope.cutoffs[0], events)
    n_best = min(N_SERIES_SHOWN, (len(ranked) + 1) // 2)
    return {
        "best": ranked[:n_best],
        "worst": ranked[n_best:][::-1],
        "by_value_added": by_value_added,
        "above_median": bool(ranked) and ranked[0]["n_ranked"] < ranked[0]["n_judged"],
        "cutoff_date": scope.cutoffs[0],
    }


def _series_lines(
    source: _Marts, scope: _Scope, item_ids: list[str]
) -> dict[str, dict[str, list[Row]]]:
    """By item: actuals from before the newest judged cutoff, judged, naive and newest forecast."""
    parameters = {"item_ids": item_ids}
    cutoff = scope.cutoffs[0]
    judged = """
        select f.item_id, f.week_end_date as week, f.p10, f.p50, f.p90
        from {marts}.fct_forecast_vs_actual as f
        join {marts}.dim_forecast_run as r using (run_id)
        where r.is_current and r.kind = $kind and r.cutoff_date = $cutoff and f.model_id = $model_id
            and list_contains($item_ids, f.item_id)
        order by f.week_end_date
    """
    found = {
        "actual": source.rows(
            """
            select item_id, week_end_date as week, sales as actual
            from {marts}.fct_weekly_sales
            where list_contains($item_ids, item_id) and week_end_date > $first_week
            order by week_end_date
            """,
            first_week=cutoff - timedelta(weeks=WEEKS_BEFORE_CUTOFF),
            **parameters,
        ),
        "judged": source.rows(
            judged, kind=scope.kind, cutoff=cutoff, model_id=scope.model_id, **parameters
        ),
        "naive": source.rows(judged, kind=scope.kind, cutoff=cutoff, model_id=NAIVE, **parameters)
        if scope.model_id != NAIVE
        else [],
        "newest": source.rows(
            """
            select item_id, week_end_date as week, p10, p50, p90, naive_p50, cutoff_date
            from {reports}.rpt_forecast_latest
            where level = 'store-department' and is_forecast and list_contains($item_ids, item_id)
            order by week_end_date
            """,
            **parameters,
        ),
    }
    lines: dict[str, dict[str, list[Row]]] = {
        item_id: {name: [] for name in found} for item_id in item_ids
    }
    for name, rows in found.items():
        for row in rows:
            lines[row["item_id"]][name].append(row)
    return lines


def _stores(source: _Marts, scope: _Scope | None, newest_week: date | None) -> Row:
    """One row a store: forecast of the next 13 weeks, change on last year, accuracy."""
    rows = source.rows(
        """
        with weeks as (
            select distinct week_end_date from {reports}.rpt_forecast_latest
            where level = 'store' and is_forecast and week_end_date > $newest_week
            order by week_end_date limit 13
        ),
        last_year as (
            select store_id, week_end_date + 364 as week_end_date, sum(sales) as actual
            from {marts}.fct_weekly_sales
            group by all
        ),
        ahead as (
            select l.store_id, sum(coalesce(l.mean, l.p50)) as forecast,
                sum(coalesce(l.mean, l.p50)) filter (where y.actual is not null)
                    / nullif(sum(y.actual), 0) - 1 as change
            from {reports}.rpt_forecast_latest as l
            join weeks using (week_end_date)
            left join last_year as y
                on y.store_id = l.store_id and y.week_end_date = l.week_end_date
            where l.level = 'store' and l.is_forecast
            group by l.store_id
        ),
        judged as (
            select s.store_id,
                sum(f.abs_error) / nullif(sum(f.abs_actual), 0) as wape,
                1 - sum(f.abs_error) filter (where f.naive_abs_error is not null)
                    / nullif(sum(f.naive_abs_error), 0) as value_added
            from {marts}.fct_forecast_vs_actual as f
            join {marts}.dim_forecast_run as r using (run_id)
            join {marts}.dim_series as s using (item_id)
            where r.is_current and f.model_id = $model_id and f.actual is not null
                and r.kind = $kind and list_contains($cutoffs::date[], r.cutoff_date)
            group by s.store_id
        ),
        stores as (
            select store_id, count(*) as n_series from {marts}.dim_series group by store_id
        )
        select store_id, stores.n_series, t.store_type, t.region, forecast, change, wape,
            value_added
        from stores
        left join {marts}.dim_store as t using (store_id)
        left join ahead using (store_id)
        left join judged using (store_id)
        where forecast is not null or wape is not null
        order by wape nulls last, forecast desc nulls last, store_id
        """,
        newest_week=newest_week,
        model_id=scope.model_id if scope else "",
        kind=scope.kind if scope else "",
        cutoffs=scope.cutoffs if scope else [],
    )
    judged = any(row["wape"] is not None for row in rows)
    if not judged:
        rows.sort(key=lambda row: -(row["forecast"] or 0))
    parts = [("", rows)] if rows else []
    if len(rows) > 2 * N_STORES_SHOWN:
        first, last = (
            ("lowest WAPE", "highest WAPE") if judged else ("largest forecast", "smallest forecast")
        )
        parts = [
            (f"The {N_STORES_SHOWN} stores with the {first}", rows[:N_STORES_SHOWN]),
            (f"The {N_STORES_SHOWN} stores with the {last}", rows[-N_STORES_SHOWN:]),
        ]
    return {
        "n_stores": len(rows),
        "parts": parts,
        "judged": judged,
        "largest_forecast": max((abs(row["forecast"] or 0) for row in rows), default=0),
        "largest_wape": max((row["wape"] or 0 for row in rows), default=0),
    }


# --- the chain ---


def _chain(
    source: _Marts,
    latest: Row,
    scope: _Scope | None,
    events: list[Row],
    newest_week: date | None,
) -> Row:
    """The chain's chart and its table of weeks ahead; no figure when there are no sales."""
    if newest_week is None:
        return {"figure": None}
    first_week = newest_week - timedelta(weeks=WEEKS_OF_HISTORY - 1)
    actual = source.rows(
        """
        select week_end_date as week, sum(sales) as actual
        from {marts}.fct_weekly_sales
        where week_end_date >= $first_week
        group by week_end_date order by week_end_date
        """,
        first_week=first_week,
    )
    forecast = source.rows(
        """
        select l.week_end_date as week, l.mean, l.p10, l.p50, l.p90, l.naive_p50,
            y.actual as last_year
        from {reports}.rpt_forecast_latest as l
        left join (
            select week_end_date + 364 as week_end_date, sum(sales) as actual
            from {marts}.fct_weekly_sales group by 1
        ) as y using (week_end_date)
        where l.level = 'chain' and l.is_forecast
        order by l.week_end_date
        """
    )
    backtests = _backtests_of_chain(source, scope, first_week)
    has_band = any(row["p10"] is not None and row["p90"] is not None for row in forecast)
    return {
        "figure": _chain_figure(
            actual, forecast, backtests, latest["cutoff_date"], events, has_band=has_band
        ),
        "has_band": has_band,
        "has_naive": any(row["naive_p50"] is not None for row in forecast),
        "has_median": any(row["p50"] is not None for row in forecast),
        "has_events": any(event["week"] >= first_week for event in events),
        "backtests": list(backtests),
        "weeks": [row for row in forecast if row["week"] > newest_week],
    }


def _backtests_of_chain(
    source: _Marts, scope: _Scope | None, first_week: date
) -> dict[date, list[Row]]:
    """Chain totals of the newest backtests that do not overlap, by cutoff.

    Only weeks with an actual are summed, over the series that have one: the line stands beside the
    actuals that judge it.
    """
    if scope is None or scope.kind != "backtest":
        return {}
    rows = source.rows(
        """
        select r.cutoff_date, f.week_end_date as week, sum(coalesce(f.mean, f.p50)) as forecast
        from {marts}.fct_forecast_vs_actual as f
        join {marts}.dim_forecast_run as r using (run_id)
        where r.is_current and r.kind = 'backtest' and f.model_id = $model_id
            and f.actual is not null and f.week_end_date >= $first_week
        group by all
        order by r.cutoff_date desc, week
        """,
        model_id=scope.model_id,
        first_week=first_week,
    )
    by_cutoff: dict[date, list[Row]] = {}
    for row in rows:
        by_cutoff.setdefault(row["cutoff_date"], []).append(row)
    chosen: dict[date, list[Row]] = {}
    for cutoff, weeks in by_cutoff.items():
        if len(chosen) < MAX_BACKTESTS_DRAWN and weeks[-1]["week"] <= min(chosen, default=date.max):
            chosen[cutoff] = weeks
    return chosen


# --- figures ---


def _chain_figure(
    actual: list[Row],
    forecast: list[Row],
    backtests: dict[date, list[Row]],
    cutoff: date | None,
    events: list[Row],
    *,
    has_band: bool,
) -> Figure:
    number = _hover_number([row["actual"] for row in actual])
    traces = _band(forecast, number) if has_band else []
    traces += [
        _line(f"Backtest, cutoff {start}", weeks, "forecast", number, color=LIGHT_BLUE, width=2.4)
        for start, weeks in backtests.items()
    ]
    traces.append(_line("Actual", actual, "actual", number, color=INK, width=1.6))
    if forecast:
        naive = [row for row in forecast if row["naive_p50"] is not None]
        if naive:
            traces.append(_naive_line(naive, "naive_p50", number))
        median = "Forecast, p50" if has_band else "Forecast, sum of medians"
        if any(row["p50"] is not None for row in forecast):
            width, dash = (2.4, "") if has_band else (1.2, "2px,2px")
            traces.append(
                _line(median, forecast, "p50", number, color=BLUE, width=width, dash=dash)
            )
        if not has_band:
            traces.append(_line("Forecast, mean", forecast, "mean", number, color=BLUE, width=2.4))
    cutoffs = {start: f"backtest from {start}" for start in backtests}
    if forecast and cutoff:
        cutoffs[cutoff] = f"forecast from {cutoff}"
    return _weekly_figure(traces, events, cutoffs, label_events=True)


def _series_figure(lines: dict[str, list[Row]], cutoff: date, events: list[Row]) -> Figure:
    number = _hover_number([row["actual"] for row in lines["actual"]])
    newest = lines["newest"]
    is_judged_again = bool(newest) and newest[0]["cutoff_date"] == cutoff
    judged = [] if is_judged_again else lines["judged"]
    traces = [*_band(judged, number), *_band(newest, number)]
    if judged:
        if lines["naive"]:
            traces.append(_naive_line(lines["naive"], "p50", number))
        traces.append(_line("Judged, p50", judged, "p50", number, color=LIGHT_BLUE, width=2.4))
    traces.append(_line("Actual", lines["actual"], "actual", number, color=INK, width=1.4))
    cutoffs = {cutoff: ""}
    if newest:
        if any(row["naive_p50"] is not None for row in newest):
            traces.append(_naive_line(newest, "naive_p50", number))
        traces.append(_line("Forecast, p50", newest, "p50", number, color=BLUE, width=2.2))
        cutoffs[newest[0]["cutoff_date"]] = ""
    return _weekly_figure(traces, events, cutoffs, label_events=False)


def _band_figure(by_band: dict[tuple[str, str], Row], models: list[str], measure: str) -> Figure:
    """Bars of one measure by lead time, the judged model first and the naive in grey."""
    bands = [band for band in HORIZON_BANDS if any((model, band) in by_band for model in models)]
    others = iter(OTHER_MODELS)
    colors = {
        model: GREY if model == NAIVE else BLUE if model == models[0] else next(others)
        for model in models
    }
    traces = []
    for model in models:
        values = [by_band.get((model, band), {}).get(measure) for band in bands]
        traces.append(
            {
                "type": "bar",
                "name": _plotly_text(model),
                "x": [f"weeks {band}" for band in bands],
                "y": values,
                "text": ["" if value is None else f"{value:.1%}" for value in values],
                "textposition": "outside",
                "textangle": 0,
                "cliponaxis": False,
                "hovertemplate": "%{y:.1%}",
                "marker": {"color": colors[model]},
            }
        )
    layout = _layout()
    layout["margin"]["t"] = 34
    layout |= {"barmode": "group", "bargap": 0.3, "bargroupgap": 0.06, "showlegend": True}
    layout["xaxis"] |= {"type": "category"}
    layout["yaxis"] |= {"tickformat": ".0%", "rangemode": "tozero"}
    if measure == "coverage":
        layout["yaxis"]["range"] = [0, 1.08]
        layout["shapes"] = [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": 0.8,
                "y1": 0.8,
                "line": {"color": INK, "width": 1, "dash": "dot"},
            }
        ]
    return {"data": traces, "layout": layout}


def _weekly_figure(
    traces: list[Row], events: list[Row], cutoffs: dict[date, str], *, label_events: bool
) -> Figure:
    """Weekly lines over shaded event weeks, with a vertical line at each cutoff."""
    weeks = [week for trace in traces for week in trace["x"]]
    values = [value for trace in traces for value in trace["y"] if value is not None]
    first, last = date.fromisoformat(min(weeks)), date.fromisoformat(max(weeks))
    shown = [event for event in events if first <= event["week"] <= last]
    low, high = min([0.0, *values]), max([0.0, *values])
    room = (high - low or 1.0) * (0.24 if label_events and shown else 0.06)
    half_week = timedelta(days=3, hours=12)
    layout = _layout()
    layout["hovermode"] = "x unified"
    layout["xaxis"] |= {
        "type": "date",
        "range": [str(first - timedelta(days=7)), str(last + timedelta(days=7))],
        "hoverformat": "week ending %Y-%m-%d",
    }
    layout["yaxis"]["range"] = [low - (0.06 * (high - low) if low < 0 else 0), high + room]
    layout["shapes"] = [
        {
            "type": "rect",
            "layer": "below",
            "yref": "paper",
            "x0": str(datetime.combine(event["week"], datetime.min.time()) - half_week),
            "x1": str(datetime.combine(event["week"], datetime.min.time()) + half_week),
            "y0": 0,
            "y1": 1,
            "fillcolor": EVENT_FILL,
            "line": {"width": 0},
        }
        for event in shown
    ]
    layout["shapes"] += [
        {
            "type": "line",
            "yref": "paper",
            "x0": str(cutoff),
            "x1": str(cutoff),
            "y0": 0,
            "y1": 1,
            "line": {"color": MUTED, "width": 1, "dash": "dot"},
        }
        for cutoff in cutoffs
    ]
    layout["annotations"] = [
        {
            "text": label,
            "x": str(cutoff),
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "xanchor": "left" if cutoff < last - timedelta(weeks=20) else "center",
            "showarrow": False,
            "font": {"size": 11, "color": MUTED},
        }
        for cutoff, label in cutoffs.items()
        if label
    ]
    if label_events and len(shown) <= MAX_LABELLED_EVENTS:
        layout["annotations"] += [
            {
                "text": _plotly_text(_shortened(event["name"])),
                "x": str(event["week"]),
                "y": 0.995,
                "yref": "paper",
                "yanchor": "top",
                "textangle": -90,
                "showarrow": False,
                "font": {"size": 10, "color": EVENT_INK},
            }
            for event in shown
        ]
    if shown:
        layout["yaxis2"] = {
            "overlaying": "y",
            "range": [0, 1],
            "visible": False,
            "fixedrange": True,
        }
        traces = [
            *traces,
            {
                "type": "scatter",
                "mode": "markers",
                "name": "Event",
                "yaxis": "y2",
                "x": [str(event["week"]) for event in shown],
                "y": [0.015] * len(shown),
                "text": [_plotly_text(event["name"].replace("_", " ")) for event in shown],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"symbol": "triangle-up", "size": 6, "color": EVENT_INK},
            },
        ]
    return {"data": traces, "layout": layout}


def _line(
    name: str,
    rows: list[Row],
    column: str,
    number: str,
    *,
    color: str,
    width: float,
    dash: str = "",
) -> Row:
    return {
        "type": "scatter",
        # A line of one point is invisible without a marker.
        "mode": "lines" if len(rows) > 1 else "markers",
        "name": name,
        "x": [str(row["week"]) for row in rows],
        "y": [row[column] for row in rows],
        "hovertemplate": f"%{{y:{number}}}",
        "line": {"color": color, "width": width} | ({"dash": dash} if dash else {}),
        "marker": {"color": color, "size": 6},
    }


def _naive_line(rows: list[Row], column: str, number: str) -> Row:
    return _line("Naive", rows, column, number, color=GREY, width=1.1, dash="4px,3px")


def _band(rows: list[Row], number: str) -> list[Row]:
    """The two edges of the p10 to p90 band, filled between; nothing where an edge is null."""
    known = [row for row in rows if row["p10"] is not None and row["p90"] is not None]
    if not known:
        return []
    edges = [
        _line(name, known, column, number, color=BLUE, width=0)
        for name, column in (("p10", "p10"), ("p90", "p90"))
    ]
    for edge in edges:
        edge["mode"] = "lines"
    return [edges[0], edges[1] | {"fill": "tonexty", "fillcolor": BAND}]


def _layout() -> Row:
    axis = {
        "gridcolor": GRID,
        "linecolor": GREY,
        "zerolinecolor": GREY,
        "ticks": "",
        "automargin": True,
        "fixedrange": False,
    }
    return {
        "font": {
            "family": "system-ui, -apple-system, 'Segoe UI', sans-serif",
            "size": 12,
            "color": INK,
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 52, "r": 12, "t": 22, "b": 30},
        "showlegend": False,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hoverlabel": {"bgcolor": "#ffffff", "font": {"color": INK}},
        "xaxis": dict(axis) | {"showgrid": False},
        "yaxis": dict(axis) | {"separatethousands": True},
    }


def _hover_number(values: list[float | None]) -> str:
    """Number format of a chart: whole numbers unless the values are small."""
    return (
        ",.0f"
        if max((abs(value) for value in values if value is not None), default=0) >= 100
        else ",.2f"
    )


def _plotly_text(text: str) -> str:
    """Text for plotly, which reads tags such as `<b>` in labels and `%{x}` in templates."""
    return html.escape(text, quote=False).replace("%{", "%\u200b{")


def _shortened(events: str) -> str:
    """The first event of a week and how many more there are, short enough for a label."""
    first, *more = [name.strip().replace("_", " ") for name in events.split(",")]
    label = first if len(first) <= 18 else first[:17] + "…"
    return f"{label} +{len(more)}" if more else label


# --- rendering ---


def _render(page: Row) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _format_number,
        "compact": _format_compact,
        "percent": _format_percent,
        "change": _format_change,
        "minute": _format_minute,
        "text": lambda value: DASH if value is None else value,
    }
    plotly = Markup(get_plotlyjs())
    return environment.get_template("report.html.j2").render(page, plotly=plotly, naive=NAIVE)


def _format_number(value: float | None) -> str:
    if value is None:
        return DASH
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"


def _format_compact(value: float | None) -> str:
    """Four digits or so and a unit, for a number that is read at a glance."""
    if value is None:
        return DASH
    for size, unit in ((1e9, " bn"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            scaled = value / (1e3 if unit == " k" else size)
            return f"{scaled:,.1f}{unit}"
    return _format_number(value)


def _format_percent(value: float | None) -> str:
    return DASH if value is None else f"{value:.1%}"


def _format_change(value: float | None) -> str:
    return DASH if value is None else f"{value:+.1%}".replace("-", MINUS)


def _format_minute(value: datetime | None) -> str:
    return DASH if value is None else f"{value:%Y-%m-%d %H:%M}"
