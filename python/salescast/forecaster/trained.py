"""Trained models kept in the lake, each with what is needed to forecast with it again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from salescast.errors import UserError
from salescast.warehouse import Encoding

_DESCRIPTION = "trained_model.json"


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

    @property
    def artifact(self) -> Path:
        """The model as the forecaster takes it."""
        return self.folder / "model.tar.gz"

    @property
    def encoding(self) -> Encoding:
        """How the model reads the columns of an export."""
        return Encoding(self.features, self.folder / "categories.parquet")


def keep_trained_model(
    lake: Path,
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
    """Put a trained model into the lake in one rename; moves the artifact there."""
    folder = lake / "trained_models" / trained_model_id
    part = folder.with_name(f".{trained_model_id}")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    shutil.copyfile(encoding.categories, part / "categories.parquet")
    description = {
        "id": trained_model_id,
        "model_id": model_id,
        "cutoff_date": cutoff_date.isoformat(),
        "prediction_length": prediction_length,
        "hyperparameters": dict(hyperparameters),
        "features": list(encoding.features),
        "categories": "categories.parquet",
        "program": program,
    }
    (part / _DESCRIPTION).write_text(
        json.dumps(description, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    artifact.replace(part / "model.tar.gz")
    for path in part.iterdir():
        with path.open("rb") as written:
            os.fsync(written.fileno())
    part.rename(folder)
    return read_trained_model(lake, trained_model_id)


def has_trained_model(lake: Path, trained_model_id: str) -> bool:
    """Whether the lake holds a trained model of this id."""
    return (lake / "trained_models" / trained_model_id / _DESCRIPTION).is_file()


def read_trained_model(lake: Path, trained_model_id: str) -> TrainedModel:
    """A trained model of the lake.

    Raises:
        UserError: There is none of this id; names those that exist.
    """
    root = lake / "trained_models"
    if not has_trained_model(lake, trained_model_id):
        known = sorted(path.parent.name for path in root.glob(f"[!.]*/{_DESCRIPTION}"))
        raise UserError(
            f"There is no trained model {trained_model_id}.",
            where=str(root),
            fix=f"Name one of: {', '.join(known[-10:])}." if known else "Run without it first.",
        )
    folder = root / trained_model_id
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
    )
