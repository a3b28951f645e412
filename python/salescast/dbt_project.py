"""The dbt project that the commands work with: where it is, what it says, whether it fits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from salescast import __version__
from salescast.errors import UserError

DBT_PROJECT = "dbt_project.yml"


def find_project(asked: Path | None) -> Path:
    """The project's folder: the one asked for, else the one stood in, else the program's own.

    Args:
        asked: SALESCAST_PROJECT_DIR, absolute; None if it is not set.

    Raises:
        UserError: The folder asked for has no `dbt_project.yml`, or it cannot be read.
    """
    if asked is not None:
        if not (asked / DBT_PROJECT).is_file():
            raise UserError(
                "The dbt project was not found.",
                where=str(asked),
                fix="Set SALESCAST_PROJECT_DIR to a folder of `salescast init`, or unset it.",
            )
        return asked
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / DBT_PROJECT).is_file() and _is_ours(folder):
            return folder
    return own_project()


def _is_ours(folder: Path) -> bool:
    """Whether a dbt project is salescast's: another one may well be stood in, whole or broken."""
    text = (folder / DBT_PROJECT).read_text(encoding="utf-8", errors="replace")
    return re.search(r"""^name:\s*['"]?salescast['"]?\s*(#.*)?$""", text, re.MULTILINE) is not None


def own_project() -> Path:
    """The project that came with the program: in its package, or the repository's."""
    package = Path(__file__).resolve().parent
    in_wheel = package / "project"
    return in_wheel if in_wheel.is_dir() else package.parents[1]


def read_project(folder: Path) -> dict[str, Any]:
    """What the `dbt_project.yml` of a folder says.

    Raises:
        UserError: It is no YAML, or holds no keys.
    """
    path = folder / DBT_PROJECT
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UserError(
            f"The dbt project cannot be read: {error}",
            where=str(path),
            fix="Mend its YAML; `dbt parse` shows the same error.",
        ) from error
    if not isinstance(content, dict):
        raise UserError("The dbt project holds no keys.", where=str(path), fix="Restore the file.")
    return content


def version_problem(folder: Path) -> tuple[str, str] | None:
    """What is wrong and what to do, if a project is of another version than the program."""
    version = read_project(folder).get("version")
    if version == __version__:
        return None
    return (
        f"The project in {folder} is of version {version}, the program of {__version__}.",
        "Write the program's own project with `salescast init FOLDER` and carry your changes over, "
        f"or install salescast {version}.",
    )
