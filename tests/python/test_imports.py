"""Which module may import which: a list of layers from the ground up, and no circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "python" / "salescast"

LAYERS = [
    (
        "the ground: errors, settings, processes, AWS",
        [
            *("", "errors", "settings", "child", "aws", "s3", "files", "sql_text", "quantiles"),
            *("disk", "printable", "problems", "mapping", "expressions", "progress", "console"),
            *("dbt_project", "project_files"),
        ],
    ),
    ("the program that a container runs", ["deepar", "container"]),
    ("the lake: tables, settings, trained models, locks", ["lake"]),
    ("the warehouse and what it publishes", ["warehouse", "marts"]),
    ("where models are trained and asked", ["forecaster"]),
    ("landing what a user brings", ["ingest"]),
    (
        "what the steps of a run write and check",
        ["week.batch", "week.export", "week.output_check", "week.plausibility", "week.load"],
    ),
    ("how the forecasts of a model come about", ["recipes"]),
    ("the week: planned, priced and carried out", ["week"]),
    (
        "what a command does",
        [
            *("commands", "status", "simulate", "report", "dashboard", "doctor", "prune"),
            "events",
            "init_project",
            "mapping_draft",
        ],
    ),
    ("options and printing", ["cli", "failures", "__main__"]),
]
"""Layers with their modules, `week` being all of the folder that no other line names.

A module imports from its own layer and from those above it in this list, also inside functions.
"""

CONTAINER = ("deepar", "container")


@dataclass(frozen=True)
class Import:
    """One import of a module of the package; `at_start` if it is done when the importer is read."""

    importer: str
    imported: str
    line: int
    at_start: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def modules() -> dict[str, Path]:
    """Files by module name below the package; the package itself is the empty name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(name: str, path: Path, known: dict[str, Path]) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    later = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_for_types(node)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            # `from salescast.lake import lock` imports a module, `... import Lake` a name of one.
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [
                each if each.removeprefix("salescast.") in known else str(node.module)
                for each in inner
            ]
        for target in targets:
            package, _, imported = target.partition(".")
            if package == "salescast":
                assert isinstance(node, ast.Import | ast.ImportFrom)
                yield Import(name, imported, node.lineno, at_start=node not in later)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    known = modules()
    return [each for name, path in known.items() for each in imports_of(name, path, known)]


def layer_of(module: str) -> int:
    """Number of the layer that has the longest beginning of the module's name."""
    parts = module.split(".")
    beginnings = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    for beginning in beginnings:
        for number, (_, names) in enumerate(LAYERS):
            if beginning in names:
                return number
    raise AssertionError(f"no layer of {Path(__file__).name} has the module {module}: add it")


def test_every_module_has_a_layer() -> None:
    assert len(modules()) > 80
    for module in modules():
        layer_of(module)


def test_nothing_imports_upwards(imports: list[Import]) -> None:
    assert len(imports) > 200
    upwards = [
        f"{each}, which is above it: {LAYERS[layer_of(each.imported)][0]}"
        for each in imports
        if layer_of(each.imported) > layer_of(each.importer)
    ]
    assert not upwards, "\n".join(upwards)


def test_no_modules_import_each_other_in_a_circle(imports: list[Import]) -> None:
    """Among imports at a module's start.

    `open_lake`, `open_warehouse` and `open_forecaster` import the implementation that the settings
    name when they are called, and it imports the protocol that stands beside them; names for types
    only are not imported when the program runs.
    """
    graph: dict[str, set[str]] = {}
    for each in imports:
        if each.at_start and each.imported != each.importer:
            graph.setdefault(each.importer, set()).add(each.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" is imported by ".join(error.args[1])) from None


def test_the_container_imports_nothing_else_of_the_package(imports: list[Import]) -> None:
    outside = [
        str(each)
        for each in imports
        if each.importer.split(".")[0] in CONTAINER and each.imported.split(".")[0] not in CONTAINER
    ]
    assert not outside, "\n".join(outside)


def test_planning_stands_above_the_week(imports: list[Import]) -> None:
    assert not [str(i) for i in imports if (i.importer, i.imported) == ("week.run", "week.plan")]
    assert not [str(i) for i in imports if i.importer == "week"]
