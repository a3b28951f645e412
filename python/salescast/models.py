"""The forecast models that a run can name, read from `models.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from salescast.errors import UserError

SNAIVE = "snaive_52"
DEEPAR = "deepar"
DEFAULT_MODELS = (SNAIVE, DEEPAR)
CHAMPION = "champion"
"""What `--model` takes for the model that is chosen; no model's own id."""

_MODEL_ID = re.compile(r"[a-z][a-z0-9_]{0,29}")
_RESERVED = {
    SNAIVE: {"recipe": "sql", "relation": "baseline_snaive_52"},
    DEEPAR: {"recipe": "deepar"},
}


@dataclass(frozen=True)
class Model:
    """One model id of `models.toml`.

    Attributes:
        model_id: Name in commands and marts.
        recipe: `deepar` is trained by the forecaster, `sql` is a relation of the warehouse.
        relation: The dbt model of a sql recipe.
        hyperparameters: What SageMaker's DeepAR knows.
        extensions: What only our program takes.
    """

    model_id: str
    recipe: Literal["deepar", "sql"]
    relation: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def job_hyperparameters(self, prediction_length: int) -> dict[str, str]:
        """Hyperparameters and extensions as a training job takes them.

        Raises:
            UserError: One is unknown, out of range or in the wrong table.
        """
        from salescast.container.algorithms.deepar.hyperparameters import validate_hyperparameters
        from salescast.container.errors import ContractError

        try:
            return validate_hyperparameters(
                {**self.hyperparameters, "prediction_length": prediction_length}, self.extensions
            )
        except ContractError as error:
            raise UserError(
                f"The settings of model {self.model_id} are not valid: {error}.",
                where="models.toml",
                fix=f"Change [{self.model_id}.hyperparameters] or [{self.model_id}.extensions].",
            ) from error


def read_models(path: Path) -> dict[str, Model]:
    """All models of a `models.toml`, checked.

    Raises:
        UserError: The file is missing or broken, or a model in it is wrong.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            "The list of models is missing.", where=str(path), fix="Restore models.toml."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(
            f"The list of models is not valid TOML: {error}.", where=str(path), fix="Mend the line."
        ) from error
    models = {model_id: _read_model(model_id, table, path) for model_id, table in tables.items()}
    for model_id, fixed in _RESERVED.items():
        found = models.get(model_id)
        if found is None or any(getattr(found, name) != value for name, value in fixed.items()):
            wanted = ", ".join(f'{name} = "{value}"' for name, value in fixed.items())
            raise UserError(
                f"The id {model_id} is reserved for the model that comes with salescast.",
                where=str(path),
                fix=f"Keep a table [{model_id}] with {wanted}; give your own model another id.",
            )
    return models


def choose_models(known: Mapping[str, Model], names: Iterable[str]) -> list[Model]:
    """The models of a run: those named, or the default ones; `snaive_52` always and first.

    Raises:
        UserError: A name is not in `models.toml`; lists the known ones.
    """
    wanted = list(dict.fromkeys([SNAIVE, *(tuple(names) or DEFAULT_MODELS)]))
    for name in wanted:
        if name not in known:
            raise UserError(
                f"There is no model {name}.",
                where="--model",
                fix=f"Name one of: {', '.join(sorted(known))}; or add it to models.toml.",
            )
    return [known[name] for name in wanted]


def _read_model(model_id: str, table: Any, path: Path) -> Model:
    where = f"{path}: [{model_id}]"
    if not _MODEL_ID.fullmatch(model_id):
        raise UserError(
            f"The model id {model_id!r} is not usable.",
            where=where,
            fix="Begin with a letter; use small letters, digits and _; 30 at most.",
        )
    if model_id == CHAMPION:
        raise UserError(
            f"The id {CHAMPION} stands for the model that is chosen with salescast champion set.",
            where=where,
            fix="Give the model another id.",
        )
    if not isinstance(table, dict):
        raise UserError("A model must be a table.", where=where, fix=f"Write [{model_id}].")
    unknown = set(table) - {"recipe", "relation", "hyperparameters", "extensions"}
    if unknown:
        raise UserError(
            f"Unknown keys: {', '.join(sorted(unknown))}.",
            where=where,
            fix="A model has recipe, relation, hyperparameters and extensions.",
        )
    recipe = table.get("recipe")
    if recipe == "sql":
        if not isinstance(table.get("relation"), str) or {"hyperparameters", "extensions"} & set(
            table
        ):
            raise UserError(
                "A sql model needs a relation and takes no hyperparameters.",
                where=where,
                fix='Write relation = "<a model of models/baselines>".',
            )
    elif recipe == "deepar":
        if "relation" in table or "prediction_length" in table.get("hyperparameters", {}):
            raise UserError(
                "A deepar model takes no relation, and its prediction_length comes from the run.",
                where=where,
                fix="Remove them; give the weeks with --horizon.",
            )
    else:
        raise UserError(
            f"The recipe {recipe!r} is not known.", where=where, fix='Use "deepar" or "sql".'
        )
    model = Model(
        model_id=model_id,
        recipe=recipe,
        relation=table.get("relation"),
        hyperparameters=table.get("hyperparameters", {}),
        extensions=table.get("extensions", {}),
    )
    if model.recipe == "deepar":
        # A length that is allowed for sure: settings are checked before any run names one.
        model.job_hyperparameters(prediction_length=52)
    return model
