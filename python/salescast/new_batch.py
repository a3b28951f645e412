"""What a command asks of a new batch, and the batch that comes of it; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from salescast.batch import BatchRecord
from salescast.champion import resolve
from salescast.forecaster import Forecaster, open_forecaster
from salescast.forecaster.trained import TrainedModel, read_trained_model
from salescast.lake import Lake
from salescast.models import CHAMPION, Model, choose_models, read_models
from salescast.warehouse import Landed
from salescast.weekly_run import new_record

if TYPE_CHECKING:
    from salescast.settings import Settings


@dataclass(frozen=True)
class Asked:
    """The options of `run` or `backtest`; None and empty where the command was given none."""

    command: str
    cutoffs: Sequence[date] = ()
    horizon: int | None = None
    model_names: Sequence[str] = ()
    backtests: int = 0
    trained_model: str | None = None


@dataclass(frozen=True)
class NewBatch:
    """A batch that could be started, with its models."""

    record: BatchRecord
    models: Sequence[Model]
    trained: TrainedModel | None


def plan_batch(settings: Settings, lake: Lake, landed: Landed, asked: Asked) -> NewBatch:
    """The batch that a command asks for, refused early if it cannot work.

    Args:
        settings: The settings.
        lake: The lake, which knows the champion and the trained models.
        landed: What the lake holds.
        asked: The options of the command.

    Raises:
        UserError: A model is not known or not for this forecaster, a value is out of range, or
            nothing is landed.
    """
    known = read_models(settings.project / "models.toml")
    names, trained_model = resolve(asked.model_names, asked.trained_model, lake, known)
    models = choose_models(known, names)
    is_champions = asked.trained_model is None and CHAMPION in asked.model_names
    trained = None if trained_model is None else read_trained_model(lake, trained_model)
    record = new_record(
        asked.command,
        landed=landed,
        models=models,
        forecaster=settings.forecaster,
        horizon=settings.default_horizon if asked.horizon is None else asked.horizon,
        max_horizon=settings.max_horizon,
        cutoffs=asked.cutoffs,
        backtests=asked.backtests,
        trained=trained,
        trained_by="the champion's trained model" if is_champions else "--trained-model",
    )
    batch = NewBatch(record, models, trained)
    _check_jobs(batch, open_forecaster(settings))
    return batch


def check_ready(settings: Settings, batch: NewBatch) -> None:
    """Refuse a batch whose jobs could not start here, for want of a setting or a library.

    Raises:
        UserError: Something must be installed or set first.
    """
    if any(model.recipe == "deepar" for model in batch.models):
        open_forecaster(settings).check_ready()


def _check_jobs(batch: NewBatch, forecaster: Forecaster) -> None:
    """Refuse a batch before its build if the forecaster would not take its models."""
    for model in batch.models:
        if model.recipe != "deepar":
            continue
        model.job_hyperparameters(batch.record.prediction_length)
        if batch.trained is None:
            forecaster.check_model(model)
    if batch.trained is not None:
        forecaster.check_artifact(batch.trained.program)
