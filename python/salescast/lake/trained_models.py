"""Trained models kept in the lake, each with what is needed to forecast with it again."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from salescast import disk
from salescast.errors import UserError
from salescast.files import sync
from salescast.lake import Lake

CATEGORY_COLUMNS = ("store_id", "department_id")
"""Columns of exp_series whose codes stand in `cat`, by cat_position."""

BUILT_IN_REPOSITORY = "forecasting-deepar"
"""Repository of the images of SageMaker's built-in DeepAR, in the account of each region."""

_FOLDER = "trained_models"
_DESCRIPTION = "trained_model.json"
_ARTIFACT = "model.tar.gz"
_CATEGORIES = "categories.parquet"
# The description last: it makes the others a trained model.
_FILES = (_ARTIFACT, _CATEGORIES, _DESCRIPTION)
# An id is a run's, and names a folder.
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_BUILT_IN = re.compile(rf"\.dkr\.ecr\.[^/]+/(?:.+/)?{BUILT_IN_REPOSITORY}(?:[:@]|$)")


@dataclass(frozen=True)
class Encoding:
    """How a trained model reads the columns of an export.

    `features` are the names of `dynamic_feat` in order; `categories` is a Parquet file with
    cat_position, code and category_value.
    """

    features: tuple[str, ...]
    categories: Path


@dataclass(frozen=True)
class TrainedModel:
    """One folder of `trained_models`: artifact, category map and description."""

    folder: Path
    trained_model_id: str
    model_id: str
    cutoff_date: date
    prediction_length: int
    hyperparameters: Mapping[str, str]
    features: tuple[str, ...]
    program: str
    category_columns: tuple[str, ...] = CATEGORY_COLUMNS

    @property
    def artifact(self) -> Path:
        """The model as the forecaster takes it."""
        return self.folder / _ARTIFACT

    @property
    def seed(self) -> int | None:
        """Seed of training and sampling; None of the built-in DeepAR, which takes none."""
        return None if is_built_in(self.program) else int(self.hyperparameters.get("seed", 0))

    @property
    def encoding(self) -> Encoding:
        """How the model reads the columns of an export."""
        return Encoding(self.features, self.folder / _CATEGORIES)


def is_built_in(program: str) -> bool:
    """Whether the program of a trained model is the built-in DeepAR, or a mirror of its image."""
    return _BUILT_IN.search(program) is not None


def keep_trained_model(
    lake: Lake,
    trained_model_id: str,
    *,
    artifact: Path,
    encoding: Encoding,
    model_id: str,
    cutoff_date: date,
    prediction_length: int,
    hyperparameters: Mapping[str, str],
    program: str,
) -> TrainedModel:
    """Put a trained model into the lake in one step; moves the artifact there.

    In a folder that is a rename. On S3 the description is written last, and only what has one is a
    trained model.
    """
    folder = lake.root / _FOLDER / trained_model_id
    part = folder.with_name(f".{trained_model_id}")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    shutil.copyfile(encoding.categories, part / _CATEGORIES)
    description = {
        "id": trained_model_id,
        "model_id": model_id,
        "cutoff_date": cutoff_date.isoformat(),
        "prediction_length": prediction_length,
        "hyperparameters": dict(hyperparameters),
        "features": list(encoding.features),
        "categories": _CATEGORIES,
        "category_columns": list(CATEGORY_COLUMNS),
        "program": program,
    }
    (part / _DESCRIPTION).write_text(
        json.dumps(description, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    artifact.replace(part / _ARTIFACT)
    for path in part.iterdir():
        sync(path)
    if lake.remote is not None:
        remote = lake.remote.below(f"{_FOLDER}/{trained_model_id}")
        for name in _FILES:
            remote.upload(part / name, name, replace=True)
        if folder.exists():
            shutil.rmtree(folder)
    part.rename(folder)
    return read_trained_model(lake, trained_model_id)


def has_trained_model(lake: Lake, trained_model_id: str) -> bool:
    """Whether the lake holds a trained model of this id."""
    if not _ID.fullmatch(trained_model_id):
        return False
    name = f"{_FOLDER}/{trained_model_id}/{_DESCRIPTION}"
    return lake.remote.has(name) if lake.remote else (lake.root / name).is_file()


def read_trained_model(lake: Lake, trained_model_id: str) -> TrainedModel:
    """A trained model of the lake.

    Raises:
        UserError: There is none of this id; names those that exist.
    """
    if not has_trained_model(lake, trained_model_id):
        known = _known(lake)
        raise UserError(
            f"There is no trained model {trained_model_id or '(an empty id)'}.",
            where=f"{lake.place}/{_FOLDER}",
            fix=f"Name one of: {', '.join(known[-10:])}." if known else "Run without it first.",
        )
    folder = lake.root / _FOLDER / trained_model_id
    if lake.remote is not None:
        missing = [name for name in _FILES if not (folder / name).exists()]
        lake.remote.below(f"{_FOLDER}/{trained_model_id}").download_all(missing, folder)
    try:
        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        return TrainedModel(
            folder=folder,
            trained_model_id=description["id"],
            model_id=description["model_id"],
            cutoff_date=date.fromisoformat(description["cutoff_date"]),
            prediction_length=description["prediction_length"],
            hyperparameters=description["hyperparameters"],
            features=tuple(description["features"]),
            program=description["program"],
            # Models of before this was kept are coded by these columns.
            category_columns=tuple(description.get("category_columns", CATEGORY_COLUMNS)),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(trained_model_id, "description", folder / _DESCRIPTION, error) from error


def check_categories(trained: TrainedModel) -> None:
    """Refuse a trained model whose category map is of other columns than the exports code.

    Which features it needs is checked by the export, when the warehouse has built what there is.

    Raises:
        UserError: The columns differ, or the map does not have each of them.
    """
    try:
        positions = pq.read_table(trained.encoding.categories, columns=["cat_position"])
    except (pa.ArrowException, OSError) as error:
        if (refused := disk.told(error, trained.encoding.categories)) is not None:
            raise refused from error
        raise _damaged(
            trained.trained_model_id, "category map", trained.encoding.categories, error
        ) from error
    mapped = sorted(set(positions["cat_position"].to_pylist()))
    if trained.category_columns == CATEGORY_COLUMNS and mapped == [*range(len(CATEGORY_COLUMNS))]:
        return
    known = dict(enumerate(trained.category_columns))
    names = [known.get(position, f"position {position}") for position in mapped]
    raise UserError(
        f"The trained model {trained.trained_model_id} has categories of "
        f"{', '.join(names) or 'nothing'}, the exports those of {', '.join(CATEGORY_COLUMNS)}.",
        where=str(trained.encoding.categories),
        fix=f"Train a new model: --model {trained.model_id} without --trained-model.",
    )


def _damaged(trained_model_id: str, part: str, path: Path, error: Exception) -> UserError:
    return UserError(
        f"The trained model {trained_model_id} is damaged: its {part} cannot be read: {error}",
        where=str(path),
        fix="Name another one, or train a new one: salescast run without --trained-model.",
    )


def _known(lake: Lake) -> list[str]:
    """Ids of the trained models, oldest first."""
    if lake.remote is None:
        folders = (lake.root / _FOLDER).glob(f"[!.]*/{_DESCRIPTION}")
        return sorted(path.parent.name for path in folders)
    names = lake.remote.sizes(_FOLDER)
    return sorted(name.split("/")[0] for name in names if name.endswith(f"/{_DESCRIPTION}"))
