"""Forecasts that the warehouse computes: the rows of a dbt model, landed as they stand."""

from __future__ import annotations

from salescast.errors import UserError
from salescast.recipes import Context, Model, Recipe, Step, land, need_file
from salescast.week.batch import RunRecord
from salescast.week.export import export_rows
from salescast.week.load import Forecasts


def export_relation(context: Context, model: Model, run: RunRecord) -> int:
    """Write the rows of a sql model for a run's cutoff; returns their number.

    Raises:
        RunError: There is none.
    """
    relation = str(model.settings["relation"])
    return export_rows(context.warehouse, relation, run.cutoff_date, context.files.baseline)


def _check(model: Model, where: str) -> None:
    if not isinstance(model.settings.get("relation"), str):
        raise UserError(
            "A sql model needs a relation.",
            where=where,
            fix='Write relation = "<a model of models/baselines>".',
        )


def _export(context: Context, run: RunRecord) -> str:
    return f"{export_relation(context, context.models[run.model_id], run):,} rows"


def _load(context: Context, run: RunRecord) -> str:
    need_file(context.files.baseline, run, "export")
    return land(context, run, Forecasts(rows=context.files.baseline, is_rounded=True))


RECIPE = Recipe(
    keys=frozenset({"relation"}),
    check=_check,
    steps=(Step("export", _export), Step("load", _load)),
)
