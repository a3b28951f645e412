"""What every recipe shares whose models a container's algorithm trains.

A run exports records, trains on them unless a trained model is used again, forecasts by a batch
transform, and lands what came of it; series that the model cannot forecast get the fallback's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from salescast.container.algorithm import DEFAULT_ALGORITHM
from salescast.container.errors import ContractError
from salescast.errors import UserError
from salescast.forecaster import Forecaster, TrainingJob, TransformJob
from salescast.lake.trained_models import (
    Encoding,
    TrainedModel,
    has_trained_model,
    keep_trained_model,
    read_trained_model,
)
from salescast.recipes import (
    SNAIVE,
    AtVintages,
    Context,
    Jobs,
    Model,
    Recipe,
    Step,
    land,
    need_file,
    not_yet,
)
from salescast.recipes.sql import export_relation
from salescast.week.batch import RunRecord
from salescast.week.export import export_records
from salescast.week.load import Forecasts
from salescast.week.output_check import check_output


@dataclass(frozen=True)
class Algorithm:
    """One of the container's algorithms.

    Attributes:
        name: Its name in the container, and in messages.
        validate: Makes a job's hyperparameters of those that SageMaker knows and of the extensions
            that only our own program takes; raises ContractError.
        libraries: What it imports beside the base of the package.
        at_vintages: As `Jobs` has it.
    """

    name: str
    validate: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, str]]
    libraries: tuple[str, ...] = ()
    at_vintages: AtVintages = "skip"


def trained_recipe(algorithm: Algorithm) -> Recipe:
    """The recipe of the models that an algorithm trains."""
    return Recipe(
        keys=frozenset({"hyperparameters", "extensions"}),
        check=partial(_check, algorithm),
        steps=(
            Step("export", _export),
            Step("train", partial(_train, algorithm)),
            Step("predict", _predict, is_lost=_is_without_forecasts),
            Step("load", _load),
        ),
        jobs=Jobs(
            uses=("training", "transform"),
            check=partial(_check_jobs, algorithm),
            libraries=algorithm.libraries,
            at_vintages=algorithm.at_vintages,
        ),
    )


def job_hyperparameters(
    algorithm: Algorithm, model: Model, prediction_length: int
) -> dict[str, str]:
    """Hyperparameters and extensions of a model as a training job takes them.

    Raises:
        UserError: One is unknown, out of range or in the wrong table.
    """
    hyperparameters = model.settings.get("hyperparameters", {})
    try:
        valid = algorithm.validate(
            {**hyperparameters, "prediction_length": prediction_length},
            model.settings.get("extensions", {}),
        )
        return valid | _name_of(algorithm)
    except ContractError as error:
        raise UserError(
            f"The settings of model {model.model_id} are not valid: {error}.",
            where="models.toml",
            fix=f"Change [{model.model_id}.hyperparameters] or [{model.model_id}.extensions].",
        ) from error


def _name_of(algorithm: Algorithm) -> dict[str, str]:
    # The built-in DeepAR takes no word for itself; without one it is meant.
    return {} if algorithm.name == DEFAULT_ALGORITHM else {"algorithm": algorithm.name}


def check_unseen(trained: TrainedModel, cutoff: date, named_by: str) -> None:
    """Refuse a trained model for a cutoff before the last week that it has seen.

    Args:
        trained: The trained model.
        cutoff: The cutoff.
        named_by: What named the trained model, for the message.

    Raises:
        UserError: It has seen later sales.
    """
    if trained.cutoff_date > cutoff:
        raise UserError(
            f"The trained model {trained.trained_model_id} has seen sales up to "
            f"{trained.cutoff_date}, after the cutoff {cutoff}.",
            where=named_by,
            fix="Take a model trained at or before the cutoff, or train a new one: --model "
            f"{trained.model_id} without --trained-model.",
        )


def _check(algorithm: Algorithm, model: Model, where: str) -> None:
    for name in ("hyperparameters", "extensions"):
        if not isinstance(model.settings.get(name, {}), dict):
            raise UserError(
                f"The {name} of a model must be a table.",
                where=where,
                fix=f"Write [{model.model_id}.{name}], and each setting on a line below it.",
            )
    if "prediction_length" in model.settings.get("hyperparameters", {}):
        raise UserError(
            f"The prediction_length of a {algorithm.name} model comes from the run.",
            where=where,
            fix="Remove it; give the weeks with --horizon.",
        )
    # A length that is allowed for sure: settings are checked before any run names one.
    job_hyperparameters(algorithm, model, prediction_length=52)


def _check_jobs(
    algorithm: Algorithm,
    model: Model,
    forecaster: Forecaster,
    prediction_length: int,
    trained: TrainedModel | None,
) -> None:
    job_hyperparameters(algorithm, model, prediction_length)
    if trained is None:
        extensions = {**model.settings.get("extensions", {}), **_name_of(algorithm)}
        forecaster.check_model(model.model_id, extensions)
    else:
        forecaster.check_artifact(trained.program)


def _export(context: Context, run: RunRecord) -> str:
    fallback = context.models[SNAIVE]
    export_relation(context, fallback, run)
    return export_records(
        context.warehouse,
        run.model_id,
        run.cutoff_date,
        context.files,
        fallback=fallback.model_id,
        coded_by=_coded_by(context, run),
        config=context.duckdb_config,
    )


def _train(algorithm: Algorithm, context: Context, run: RunRecord) -> str:
    if (reused := _reused(context, run)) is not None:
        return f"used {reused.trained_model_id} of {reused.cutoff_date}"
    if context.lender is not None:
        lender, _ = context.lender
        if not has_trained_model(context.lake, lender.run_id):
            raise not_yet(lender, "train")
        run.trained_model_id = lender.run_id
        return f"used {lender.run_id} of {lender.cutoff_date}"
    # A kill after the model was kept and before the record was written: it is the same model.
    if not has_trained_model(context.lake, run.run_id):
        files = context.files
        need_file(files.manifest, run, "export")
        hyperparameters = job_hyperparameters(
            algorithm, context.models[run.model_id], run.prediction_length
        )
        artifact = context.forecaster.train(
            TrainingJob(
                _job_name(run), files.training_channel, hyperparameters, files.work, run.run_id
            )
        )
        keep_trained_model(
            context.lake,
            run.run_id,
            artifact=artifact,
            encoding=files.encoding(),
            model_id=run.model_id,
            cutoff_date=run.cutoff_date,
            prediction_length=run.prediction_length,
            hyperparameters=hyperparameters,
            program=context.forecaster.program,
        )
    run.trained_model_id = run.run_id
    return f"kept as {run.run_id}"


def _predict(context: Context, run: RunRecord) -> str:
    files = context.files
    if run.trained_model_id is None:
        raise not_yet(run, "train")
    need_file(files.inference, run, "export")
    trained = read_trained_model(context.lake, run.trained_model_id)
    context.forecaster.check_artifact(trained.program)
    # A refused output fails this step, so that a resume forecasts anew.
    check = partial(
        check_output,
        manifest=files.inference_items,
        forecasts=files.forecasts,
        prediction_length=run.prediction_length,
        config=context.duckdb_config,
    )
    context.forecaster.transform(
        TransformJob(
            name=_job_name(run),
            artifact=trained.artifact,
            input_file=files.inference,
            output_file=files.output,
            work=files.work,
            run_id=run.run_id,
            check=check,
        )
    )
    return f"by {trained.trained_model_id}"


def _is_without_forecasts(context: Context, _: RunRecord) -> bool:
    # Versions of before the output was checked in this step left none.
    return not context.files.forecasts.is_file()


def _load(context: Context, run: RunRecord) -> str:
    files = context.files
    need_file(files.forecasts, run, "predict")
    need_file(files.baseline, run, "export")
    trained = (
        None
        if run.trained_model_id is None
        else read_trained_model(context.lake, run.trained_model_id)
    )
    if files.has_shares_ahead:
        need_file(files.shares_ahead, run, "export")
    forecasts = Forecasts(
        answers=files.forecasts,
        items=files.inference_items,
        fallback=files.baseline,
        shares_ahead=files.shares_ahead if files.has_shares_ahead else None,
    )
    return land(context, run, forecasts, forecaster=context.forecaster.name, trained=trained)


def _reused(context: Context, run: RunRecord) -> TrainedModel | None:
    """The model that the command named; refused for weeks that it has already seen."""
    if context.asked_trained_model is None:
        return None
    trained = read_trained_model(context.lake, context.asked_trained_model)
    context.forecaster.check_artifact(trained.program)
    check_unseen(trained, run.cutoff_date, "the batch's trained model")
    return trained


def _coded_by(context: Context, run: RunRecord) -> tuple[str, Encoding] | None:
    """The trained model that a run uses instead of training one, and how its records are coded."""
    if (reused := _reused(context, run)) is not None:
        return reused.trained_model_id, reused.encoding
    if context.lender is not None:
        lender, files = context.lender
        need_file(files.manifest, lender, "export")
        return lender.run_id, files.encoding()
    return None


def _job_name(run: RunRecord) -> str:
    return f"{run.model_id} at {run.cutoff_date}"
