"""How good the forecasts were: the cutoffs that are judged, tables and lead-time charts.

Ratios come from the additive sums of the marts, never from other ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from salescast.marts.measures import measure_columns, pooled_sums
from salescast.marts.reader import HORIZON_BANDS, NAIVE, Marts, Row
from salescast.report.figures import band_figure

MAX_CUTOFFS_LISTED = 8
MAX_MODELS_DRAWN = 4
MEASURES = ("wape", "wql_3", "coverage", "bias", "value_added")
KINDS = {
    "backtest": "backtest",
    "live": "live forecasts whose weeks have passed",
    "hindsight": "past cutoffs forecast later, with hindsight",
}
"""Kinds of runs in the order in which they are looked at, and what they are called."""
_IN_SCOPE = "kind = $kind and list_contains($cutoffs::date[], cutoff_date)"


@dataclass(frozen=True)
class Scope:
    """The cutoffs on which the judged model is compared with the naive."""

    model_id: str
    kind: str
    cutoffs: list[date]
    has_naive: bool

    @property
    def kind_text(self) -> str:
        """What runs of the kind are called."""
        return KINDS[self.kind]

    @property
    def models(self) -> list[str]:
        """The judged model, then the naive where it was judged too."""
        return list(dict.fromkeys([self.model_id, *([NAIVE] if self.has_naive else [])]))


def choose_scope(source: Marts, forecast_model: str | None) -> Scope | None:
    """Choose the model and cutoffs of the accuracy figures; None when nothing was judged.

    Backtests come before live forecasts, whose weeks have only partly passed, and these before
    reruns made with hindsight; only cutoffs at which the naive has been judged on as many rows are
    pooled, so that both stand on the same weeks.
    """
    judged = source.rows(
        """
        with sums as (
            select model_id, kind, cutoff_date, sum(n_rows) as n_rows
            from {reports}.rpt_forecast_accuracy
            where level = 'store-department' and sum_abs_actual > 0
            group by model_id, kind, cutoff_date
        )
        select model_id, kind, list(cutoff_date order by cutoff_date desc) as cutoffs,
            list(n_rows order by cutoff_date desc) as n_rows
        from sums
        group by model_id, kind
        """
    )
    if not judged:
        return None
    champions = source.rows(
        "select distinct model_id from {marts}.dim_forecast_run where is_champion"
    )
    preferred = [forecast_model, *(row["model_id"] for row in champions)]
    candidates = {row["model_id"] for row in judged}
    challengers = [m for m in preferred if m in candidates and m != NAIVE]
    model_id = (challengers or sorted(candidates - {NAIVE}) or [NAIVE])[0]
    n_rows = {
        (row["model_id"], row["kind"]): dict(zip(row["cutoffs"], row["n_rows"], strict=True))
        for row in judged
    }
    kind = next(each for each in KINDS if (model_id, each) in n_rows)
    own, naive = n_rows[model_id, kind], n_rows.get((NAIVE, kind), {})
    shared = [cutoff for cutoff, n in own.items() if naive.get(cutoff) == n]
    return Scope(model_id, kind, shared or list(own), has_naive=bool(shared))


def accuracy_tables(source: Marts, scope: Scope | None) -> Row:
    """Accuracy by cutoff, by level and by lead time, and the figures of the latter."""
    if scope is None:
        return {"groups": [], "n_cutoffs_hidden": 0, "headline": {}, "levels": [], "figures": {}}
    by_cutoff = source.rows(
        f"""
        with sums as (
            select kind, cutoff_date, model_id, sum(n_rows) as n_rows,
                sum(n_rows_without_actual) as n_rows_without_actual,
                sum(sum_p50_without_actual) as sum_p50_without_actual,
                {pooled_sums(*MEASURES)}
            from {{reports}}.rpt_forecast_accuracy
            where level = 'store-department' and list_contains($bands, horizon_band)
            group by kind, cutoff_date, model_id
        )
        select *, {measure_columns(*MEASURES)} from sums
        where sum_abs_actual > 0
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
        with sums as (
            select model_id, level, horizon_band, sum(n_rows) as n_rows,
                sum(n_rows_without_actual) as n_rows_without_actual,
                sum(sum_p50_without_actual) as sum_p50_without_actual,
                {pooled_sums(*MEASURES)}
            from {{reports}}.rpt_forecast_accuracy
            where {_IN_SCOPE} and list_contains($bands, horizon_band)
            group by grouping sets ((model_id, level), (model_id, level, horizon_band))
        )
        select *, {measure_columns(*MEASURES)} from sums
        where sum_abs_actual > 0
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
            "wape_by_band": band_figure(by_band, models, "wape"),
            "coverage_by_band": band_figure(by_band, models, "coverage"),
        },
    }


def _mark_best(rows: list[Row]) -> None:
    """Name the columns in which each model of one cutoff is the best; ties are all best.

    Models that were judged on fewer rows than another one are not compared.
    """
    badness: dict[str, Callable[[float], float]] = {
        "wape": lambda value: value,
        "wql_3": lambda value: value,
        "coverage": lambda value: abs(value - 0.8),
        "bias": abs,
        "value_added": lambda value: -value,
    }
    most_rows = max(row["n_rows"] for row in rows)
    for row in rows:
        row["best"] = set()
        row["is_compared"] = row["n_rows"] == most_rows
    for name, measure in badness.items():
        known = [row for row in rows if row[name] is not None and row["is_compared"]]
        if len(known) < 2:
            continue
        lowest = min(measure(row[name]) for row in known)
        for row in known:
            if measure(row[name]) == lowest:
                row["best"].add(name)
