"""Two distributions: what each may import of the other."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest
from setuptools import find_packages

REPOSITORY = Path(__file__).parents[3]
SOURCES = {
    "salescast": REPOSITORY / "python",
    "local_aws": REPOSITORY / "packages" / "local-aws" / "src",
}
# Of salescast, what runs in a SageMaker container.
CONTAINER = "salescast.container"


def imports(package: str) -> set[str]:
    """Dotted names of all modules that a package imports, wherever in a file."""
    found: set[str] = set()
    for path in (SOURCES[package] / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    return found


def test_the_product_does_not_import_the_local_aws() -> None:
    assert [name for name in imports("salescast") if name.split(".")[0] == "local_aws"] == []


def test_the_local_aws_imports_nothing_of_the_product_but_its_container() -> None:
    of_product = {name for name in imports("local_aws") if name.split(".")[0] == "salescast"}
    assert of_product
    assert [name for name in of_product if not f"{name}.".startswith(f"{CONTAINER}.")] == []


@pytest.mark.parametrize("package", SOURCES)
def test_a_wheel_holds_one_package(package: str) -> None:
    source = SOURCES[package]
    configuration = tomllib.loads((source.parent / "pyproject.toml").read_text(encoding="utf-8"))
    find = configuration["tool"]["setuptools"]["packages"]["find"]
    assert source.parent / find["where"][0] == source
    found = find_packages(str(source), include=find.get("include", ["*"]))
    assert {name.split(".")[0] for name in found} == {package}
