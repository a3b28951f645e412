"""The weighted mean of other models' forecasts, with what the warehouse learned from earlier ones.

The models of models/blend compute it for all cutoffs of a batch at once, when the members of all of
them have landed.
"""

from __future__ import annotations

from datetime import UTC, datetime

from salescast.errors import RunError, UserError
from salescast.lake import utc_naive
from salescast.recipes import SNAIVE, Context, Model, Recipe, Step, land, need_file
from salescast.recipes.sql import export_relation
from salescast.week.batch import RunRecord
from salescast.week.load import Forecasts

MOST_MEMBERS = 5
"""More have too many weights for the warehouse to try."""

_RELATION = "blend__forecasts"
_TOTAL_BANDS = "blend__total_bands"


def _members(model: Model) -> tuple[str, ...]:
    return tuple(model.settings.get("members", ()))


def _check(model: Model, where: str) -> None:
    members = model.settings.get("members")
    if (
        not isinstance(members, list)
        or not all(isinstance(member, str) for member in members)
        or len(set(members)) != len(members)
        or not 2 <= len(members) <= MOST_MEMBERS
    ):
        raise UserError(
            f"A blend needs two to {MOST_MEMBERS} members, each once.",
            where=where,
            fix='Write members = ["snaive_calendar", "mstl_ets"], ids of models of this file.',
        )


def _export(context: Context, run: RunRecord) -> str:
    """Land which runs the blend is to be made of, and keep what stands in for it."""
    export_relation(context, context.models[SNAIVE], run, context.files.stand_in)
    if not context.lake.has_file("run_members", run.run_id):
        context.lake.append(
            "run_members",
            [
                {
                    "run_id": run.run_id,
                    "batch_id": context.batch_id,
                    "model_id": run.model_id,
                    "cutoff_date": run.cutoff_date,
                    "prediction_length": run.prediction_length,
                    "member_model_id": member.model_id,
                    "member_run_id": member.run_id,
                    "n_members": len(context.needed),
                    "asked_at": utc_naive(datetime.now(UTC)),
                }
                for member in context.needed.values()
            ],
            name=run.run_id,
        )
    return f"of {', '.join(context.needed)}"


def _predict(context: Context, run: RunRecord) -> str:
    warehouse, rows = context.warehouse, context.files.baseline
    rows.parent.mkdir(parents=True, exist_ok=True)
    detail = "built with an earlier run"
    n_rows = warehouse.export_run(_RELATION, run.run_id, rows)
    if n_rows == 0:
        result = warehouse.build("blend")
        detail = f"{result.n_nodes} nodes in {result.seconds:.1f} s of dbt's own"
        n_rows = warehouse.export_run(_RELATION, run.run_id, rows)
    if n_rows == 0:
        raise RunError(
            f"The warehouse has no blend for the run {run.run_id}.",
            where=f"relation {_RELATION}",
            fix="See that its members have landed: `salescast status`; then go on with `salescast "
            "run --resume`. Where two batches with blends have begun since, start a new one: "
            "`salescast run`.",
        )
    # Nothing is written where there are none; a build before this one may have had some.
    context.files.total_bands.unlink(missing_ok=True)
    warehouse.export_run(_TOTAL_BANDS, run.run_id, context.files.total_bands)
    return f"{n_rows:,} rows; {detail}"


def _load(context: Context, run: RunRecord) -> str:
    files = context.files
    need_file(files.baseline, run, "predict")
    need_file(files.stand_in, run, "export")
    forecasts = Forecasts(
        rows=files.baseline,
        is_rounded=True,
        fallback=files.stand_in,
        is_partial=True,
        total_bands=files.total_bands if files.total_bands.is_file() else None,
    )
    return land(context, run, forecasts)


RECIPE = Recipe(
    keys=frozenset({"members"}),
    check=_check,
    needs=_members,
    vintages=True,
    steps=(Step("export", _export), Step("predict", _predict), Step("load", _load)),
)
