"""What a recipe is: how the forecasts of a model come about, from the export to the landing.

A module of this package that holds a `RECIPE` is one: its name is the word that a model of
`models.toml` gives as its recipe. Nothing else lists the recipes; docs/adding-a-recipe.md adds one.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from salescast.errors import RunError, UserError
from salescast.forecaster import Forecaster, Use
from salescast.lake import Lake
from salescast.lake.trained_models import TrainedModel
from salescast.warehouse import Warehouse
from salescast.warehouse.landed import read_lower_bound
from salescast.week.batch import RunRecord
from salescast.week.export import RunFiles, export_plausible_range, export_series
from salescast.week.load import Forecasts, land_run

SNAIVE = "snaive_52"
"""Id of the model that every batch lands, and whose rows stand in where another has none."""

AtVintages = Literal["train", "reuse", "skip"]

STEPS = ("export", "train", "predict", "load")
"""The steps that a run can have, in their order."""


@dataclass(frozen=True)
class Model:
    """One model id of `models.toml`.

    Attributes:
        model_id: Name in commands and marts.
        recipe: Name of its recipe.
        settings: The rest of its table, which the recipe has checked.
    """

    model_id: str
    recipe: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What the steps of a run may touch.

    Attributes:
        warehouse: Built for the run's cutoff.
        forecaster: Where jobs run.
        lake: Where the run lands, and where trained models are kept.
        models: All models of `models.toml`.
        files: The run's own work folder.
        batch_id: The run's batch.
        code_version: Version of the program, for the run's row.
        asked_trained_model: The trained model that the command named; None where it named none.
        lender: The earlier run of the batch whose trained model this run uses, with its files;
            None where it trains its own.
        needed: For each model that this one needs, its landed run of the same cutoff.
        vintages: Select of the landed forecasts of weeks up to the cutoff, with the columns of the
            lake table `forecasts`; None for a recipe that does not ask for them.
        duckdb_config: DuckDB's settings.
    """

    warehouse: Warehouse
    forecaster: Forecaster
    lake: Lake
    models: Mapping[str, Model]
    files: RunFiles
    batch_id: str
    code_version: str
    asked_trained_model: str | None = None
    lender: tuple[RunRecord, RunFiles] | None = None
    needed: Mapping[str, RunRecord] = field(default_factory=dict)
    vintages: str | None = None
    duckdb_config: Mapping[str, Any] = field(default_factory=dict)


def _never(_: Context, __: RunRecord) -> bool:
    return False


@dataclass(frozen=True)
class Step:
    """One step of a run.

    Attributes:
        name: One of STEPS.
        do: Does the work, and can be done again; returns one line on what it did.
        is_lost: Whether what a finished step left is gone before it was landed.
    """

    name: str
    do: Callable[[Context, RunRecord], str]
    is_lost: Callable[[Context, RunRecord], bool] = _never


@dataclass(frozen=True)
class Jobs:
    """What a recipe asks of the forecaster.

    Attributes:
        uses: The jobs of a run in their order; `training` is left out where a trained model is
            used again.
        check: Refuses a model whose jobs would fail, before anything is built. It is given the
            model, the forecaster, the weeks to forecast and the trained model to use again.
        libraries: What a machine needs that does the jobs itself, as Python imports it.
        at_vintages: What a machine that does them itself does at earlier cutoffs that others learn
            from: train at each, train at the first and use that model again, or nothing.
    """

    uses: tuple[Use, ...]
    check: Callable[[Model, Forecaster, int, TrainedModel | None], None]
    libraries: tuple[str, ...] = ()
    at_vintages: AtVintages = "skip"


def _accept(_: Model, __: str) -> None:
    return


def _no_needs(_: Model) -> tuple[str, ...]:
    return ()


def _no_selector(_: Model) -> str | None:
    return None


@dataclass(frozen=True)
class Recipe:
    """How the forecasts of a model come about.

    Attributes:
        steps: The steps of a run, in the order of STEPS; the last one is `load`.
        keys: What a table of `models.toml` may hold besides `recipe`.
        check: Refuses a table whose values are wrong; it is given the model and its place.
        needs: Ids of the models whose runs of the same cutoff are landed before one of this model
            does anything but export. They are made even when they are not named.
        vintages: Whether a run learns from what was landed before its cutoff; the first one has
            what it needs forecast at earlier cutoffs too, as its jobs say.
        selector: The dbt selector of what only this model is made from; None if the selector
            pre_predict has all of it.
        jobs: What it asks of the forecaster; None if nothing.
    """

    steps: tuple[Step, ...]
    keys: frozenset[str] = frozenset()
    check: Callable[[Model, str], None] = _accept
    needs: Callable[[Model], tuple[str, ...]] = _no_needs
    vintages: bool = False
    selector: Callable[[Model], str | None] = _no_selector
    jobs: Jobs | None = None

    def step(self, name: str) -> Step | None:
        """The step of this name; None if its runs have none."""
        return next((step for step in self.steps if step.name == name), None)


def recipe_names() -> list[str]:
    """Names of all recipes, sorted."""
    return sorted(name for name in _module_names() if _find(name) is not None)


def find_recipe(name: str, where: str = "models.toml") -> Recipe:
    """A recipe by its name.

    Args:
        name: The name, which may come from a file.
        where: The place that names it, for the message.

    Raises:
        UserError: There is none; lists those that there are.
    """
    recipe = _find(name)
    if recipe is None:
        *others, last = (f'"{each}"' for each in recipe_names())
        raise UserError(
            f"The recipe {name!r} is not known.",
            where=where,
            fix=f"Use {', '.join(others)}{' or ' if others else ''}{last}.",
        )
    return recipe


def needed_libraries(models: Iterable[Model]) -> list[str]:
    """What a machine needs that does the jobs of these models itself, each library once."""
    jobs = (find_recipe(model.recipe).jobs for model in models)
    return list(dict.fromkeys(name for each in jobs if each for name in each.libraries))


def selectors_of(models: Iterable[Model]) -> list[str]:
    """The dbt selectors of what only these models are made from, each once."""
    found = (find_recipe(model.recipe).selector(model) for model in models)
    return list(dict.fromkeys(name for name in found if name is not None))


def steps_of(run: RunRecord) -> tuple[str, ...]:
    """The steps of a run, for telling which it waits for; all of them if its recipe is gone."""
    recipe = _find(run.recipe)
    return STEPS if recipe is None else tuple(step.name for step in recipe.steps)


def _find(name: str) -> Recipe | None:
    # Only what stands in the package is imported, whatever a file says.
    if name not in _module_names():
        return None
    found = getattr(importlib.import_module(f"{__name__}.{name}"), "RECIPE", None)
    return found if isinstance(found, Recipe) else None


def _module_names() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__)}


def land(
    context: Context,
    run: RunRecord,
    forecasts: Forecasts,
    *,
    forecaster: str = "warehouse",
    trained: TrainedModel | None = None,
) -> str:
    """Check the forecasts of a run and land them with its row: the last thing that `load` does.

    A forecast beyond anything that its series has ever sold does not land: the series takes the
    rows of `forecasts.fallback`.

    Args:
        context: The run's context.
        run: The run.
        forecasts: Its forecasts, with those that stand in where the model has none.
        forecaster: Where they were made, for the run's row.
        trained: The trained model that made them.

    Returns:
        One line on what was landed.

    Raises:
        RunError: The rows are not complete and sound, or not plausible; nothing was landed.
    """
    # Batches that began before these files were exported have none.
    if not context.files.series.is_file():
        export_series(context.warehouse, run.cutoff_date, context.files.series)
    plausible_range = None
    # Nothing could stand in for the model that stands in for others.
    if run.model_id != SNAIVE:
        plausible_range = context.files.plausible_range
        if not plausible_range.is_file():
            export_plausible_range(context.warehouse, run.cutoff_date, plausible_range)
    # The warehouse of such a batch may not know closed weeks: it lands without them.
    closed_weeks = context.files.closed_weeks
    landed = land_run(
        context.lake,
        run,
        forecasts,
        batch_id=context.batch_id,
        lower_bound=read_lower_bound(context.lake),
        facts={
            "forecaster": forecaster,
            "seed": None if trained is None else trained.seed,
            "hyperparameters": None
            if trained is None
            else json.dumps(dict(trained.hyperparameters), sort_keys=True),
            "code_version": context.code_version,
        },
        fallback_list=context.files.fallback_items,
        series=context.files.series,
        plausible_range=plausible_range,
        closed_weeks=closed_weeks if closed_weeks.is_file() else None,
        config=context.duckdb_config,
    )
    return str(landed)


def need_file(path: Path, run: RunRecord, step: str) -> None:
    """Refuse a step of a run whose file of an earlier step is not there.

    Raises:
        RunError: Names the step that comes first.
    """
    if not path.is_file():
        raise not_yet(run, step)


def not_yet(run: RunRecord, step: str) -> RunError:
    """The refusal of a step that another one comes before."""
    return RunError(
        f"The run {run.run_id} has not come to this step.",
        where=f"step {step}",
        fix=f"Do it first: salescast {step}; or all that is left: salescast run --resume.",
    )
