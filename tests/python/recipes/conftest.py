"""A place for recipes that a test adds to the package."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from salescast import recipes


@pytest.fixture
def add_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes a file of this name and text a module of `salescast.recipes`, for one test."""
    folder = tmp_path / "more_recipes"
    folder.mkdir()
    monkeypatch.setattr(recipes, "__path__", [*recipes.__path__, str(folder)])
    added: list[str] = []

    def add(name: str, text: str) -> None:
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        added.append(name)

    yield add
    for name in added:
        sys.modules.pop(f"salescast.recipes.{name}", None)
        if hasattr(recipes, name):
            delattr(recipes, name)
