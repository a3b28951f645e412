"""Forecasts that the warehouse computes: the rows of a dbt model, landed as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from salescast.errors import UserError
from salescast.recipes import SNAIVE, Context, Model, Recipe, Step, land, need_file
from salescast.week.batch import RunRecord
from salescast.week.export import export_rows
from salescast.week.load import Forecasts

_SELECTOR = re.compile(r"[a-z][a-z0-9_]*")


def export_relation(context: Context, model: Model, run: RunRecord, to: Path | None = None) -> int:
    """Write the rows of a sql model for a run's cutoff; returns their number.

    Args:
        context: The run's context.
        model: The sql model.
        run: The run.
        to: Parquet to write; default is the run's `baseline`.

    Raises:
        RunError: There is none.
    """
    relation = str(model.settings["relation"])
    return export_rows(context.warehouse, relation, run.cutoff_date, to or context.files.baseline)


def _check(model: Model, where: str) -> None:
    if not isinstance(model.settings.get("relation"), str):
        raise UserError(
            "A sql model needs a relation.",
            where=where,
            fix='Write relation = "<a model of models/baselines>".',
        )
    selector = model.settings.get("selector", "pre_predict")
    if not isinstance(selector, str) or not _SELECTOR.fullmatch(selector):
        raise UserError(
            f"The selector {selector!r} is not usable.",
            where=where,
            fix="Name one of selectors.yml, or leave the line out.",
        )


def _selector(model: Model) -> str | None:
    selector = model.settings.get("selector")
    return None if selector is None else str(selector)


def _export(context: Context, run: RunRecord) -> str:
    if run.model_id != SNAIVE:
        export_relation(context, context.models[SNAIVE], run, context.files.stand_in)
    return f"{export_relation(context, context.models[run.model_id], run):,} rows"


def _load(context: Context, run: RunRecord) -> str:
    files = context.files
    need_file(files.baseline, run, "export")
    stand_in = None
    if run.model_id != SNAIVE:
        stand_in = files.stand_in
        need_file(stand_in, run, "export")
    forecasts = Forecasts(rows=files.baseline, is_rounded=True, fallback=stand_in, is_partial=True)
    return land(context, run, forecasts)


RECIPE = Recipe(
    keys=frozenset({"relation", "selector"}),
    check=_check,
    selector=_selector,
    steps=(Step("export", _export), Step("load", _load)),
)
