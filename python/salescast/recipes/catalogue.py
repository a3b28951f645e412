"""The forecast models that a run can name, read from `models.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from salescast.errors import UserError
from salescast.recipes import SNAIVE, Model, find_recipe

DEEPAR = "deepar"
BLEND = "blend"
CHAMPION = "champion"
"""What `--model` takes for the model that is chosen; no model's own id."""

_MODEL_ID = re.compile(r"[a-z][a-z0-9_]{0,29}")
_RESERVED = {
    SNAIVE: {"recipe": "sql", "relation": "baseline_snaive_52"},
    DEEPAR: {"recipe": "deepar"},
}


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
    except OSError as error:
        raise UserError(
            f"The list of models cannot be read: {error.strerror or error}.",
            where=str(path),
            fix="Restore models.toml, a file that this user may read.",
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"The list of models is not UTF-8: byte {error.start + 1} is no part of it.",
            where=str(path),
            fix="Save the file as UTF-8.",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(
            f"The list of models is not valid TOML: {error}.", where=str(path), fix="Mend the line."
        ) from error
    models = {model_id: _read_model(model_id, table, path) for model_id, table in tables.items()}
    for model_id, fixed in _RESERVED.items():
        found = models.get(model_id)
        table = {} if found is None else {"recipe": found.recipe, **found.settings}
        if not fixed.items() <= table.items():
            wanted = ", ".join(f'{name} = "{value}"' for name, value in fixed.items())
            raise UserError(
                f"The id {model_id} is reserved for the model that comes with salescast.",
                where=str(path),
                fix=f"Keep a table [{model_id}] with {wanted}; give your own model another id.",
            )
    for model in models.values():
        _with_needs(model, models, path)
    return models


def default_model(known: Mapping[str, Model]) -> str:
    """The model of a command that names none: the blend, or DeepAR in a project without one."""
    return BLEND if BLEND in known else DEEPAR


def choose_models(known: Mapping[str, Model], names: Iterable[str]) -> list[Model]:
    """The models of a run: those named, or the default one, each after those that it needs.

    `snaive_52` is always among them and comes first.

    Raises:
        UserError: A name is not in `models.toml`; lists the known ones.
    """
    wanted = list(dict.fromkeys([SNAIVE, *(tuple(names) or (default_model(known),))]))
    for name in wanted:
        if name not in known:
            raise UserError(
                f"There is no model {name}.",
                where="--model",
                fix=f"Name one of: {', '.join(sorted(known))}; or add it to models.toml.",
            )
    chosen: dict[str, Model] = {}
    for name in wanted:
        chosen |= _with_needs(known[name], known, Path("models.toml"))
    return list(chosen.values())


def _with_needs(
    model: Model, known: Mapping[str, Model], path: Path, needed_by: tuple[str, ...] = ()
) -> dict[str, Model]:
    """A model after all that it needs, by id."""
    if model.model_id in needed_by:
        circle = " needs ".join((*needed_by[needed_by.index(model.model_id) :], model.model_id))
        raise UserError(
            f"Models that need each other can never be made: {circle}.",
            where=f"{path}: [{model.model_id}]",
            fix="Take one of these needs away.",
        )
    found: dict[str, Model] = {}
    for name in find_recipe(model.recipe).needs(model):
        if name not in known:
            raise UserError(
                f"The model {model.model_id} needs {name}, which is no model.",
                where=f"{path}: [{model.model_id}]",
                fix=f"Name one of: {', '.join(sorted(known))}; or add [{name}].",
            )
        found |= _with_needs(known[name], known, path, (*needed_by, model.model_id))
    return {**found, model.model_id: model}


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
    settings = dict(table)
    name = str(settings.pop("recipe", ""))
    recipe = find_recipe(name, where)
    if unknown := sorted(set(settings) - recipe.keys):
        raise UserError(
            f"Unknown keys: {', '.join(unknown)}.",
            where=where,
            fix=f"A {name} model has {', '.join(('recipe', *sorted(recipe.keys)))}.",
        )
    model = Model(model_id, name, settings)
    recipe.check(model, where)
    return model
