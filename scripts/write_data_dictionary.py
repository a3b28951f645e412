"""Write docs/data-dictionary.md: the public tables and the lake's, from the YAML beside the SQL.

Run from the repository: `.venv/bin/python scripts/write_data_dictionary.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "data-dictionary.md"
COMMAND = ".venv/bin/python scripts/write_data_dictionary.py"
LAKE = "models/staging/_lake__sources.yml"
LAYERS = {"marts": "Marts", "reports": "Reports"}

_HEAD = f"""\
# Data dictionary

Written by `{COMMAND}` from the YAML beside the SQL, which is what to edit.
Schemas carry the prefix `SALESCAST_SCHEMA` (default `salescast`): `marts.fct_forecast` is
`salescast_marts.fct_forecast`. Marts and reports are published and contracted; the lake is what
they are built from, append-only, and no place to write to.
"""


def page(project: Path = PROJECT) -> str:
    """The whole page; tables in the order of their names, the lake's in the order of its file.

    Raises:
        ValueError: A table or a column has no description or no type.
    """
    parts = [_HEAD]
    for layer, title in LAYERS.items():
        parts.append(f"## {title}\n")
        parts += [_section(layer, table) for table in _models(project / "models" / layer)]
    (lake,) = _read(project / LAKE)["sources"]
    parts.append(f"## The lake\n\n{_one_line(lake['description'])}\n")
    parts += [_section("lake", table) for table in lake["tables"]]
    return "\n".join(parts)


def _models(folder: Path) -> list[dict[str, Any]]:
    found = [
        model for path in folder.rglob("*__models.yml") for model in _read(path).get("models", [])
    ]
    return sorted(found, key=lambda model: str(model["name"]))


def _section(schema: str, table: dict[str, Any]) -> str:
    name = f"{schema}.{table['name']}"
    rows = _rows(["column", "type", "what it is"], _columns(name, table.get("columns", [])))
    return f"### {name}\n\n{_described(name, table)}\n\n{rows}"


def _columns(table: str, columns: Iterable[dict[str, Any]]) -> Iterator[list[str]]:
    for column in columns:
        name = f"{table}.{column['name']}"
        if not column.get("data_type"):
            raise ValueError(f"{name} has no data_type")
        yield [f"`{column['name']}`", str(column["data_type"]), _described(name, column)]


def _described(name: str, of: dict[str, Any]) -> str:
    text = _one_line(of.get("description") or "")
    if not text:
        raise ValueError(f"{name} has no description")
    # `<store>` would be an HTML element.
    return text.replace("<", "&lt;").replace("|", "\\|")


def _rows(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Written: {PAGE.relative_to(PROJECT)}")
