"""docs/adding-a-recipe.md: its file, its table and its test do what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from salescast.recipes import find_recipe
from salescast.recipes.catalogue import choose_models, read_models

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "adding-a-recipe.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_adds_a_recipe(tmp_path: Path, add_recipe: Callable[[str, str], None]) -> None:
    recipe, test = blocks("python")
    [table] = blocks("toml")
    add_recipe("last_value", recipe)
    path = tmp_path / "models.toml"
    path.write_text(f"{(ROOT / 'models.toml').read_text()}\n{table}")
    chosen = choose_models(read_models(path), ["last_value"])
    assert [model.model_id for model in chosen] == ["snaive_52", "last_value"]
    assert find_recipe("last_value").jobs is None

    found: dict[str, Any] = {}
    exec(compile(test, str(PAGE), "exec"), found)
    [(name, run)] = [each for each in found.items() if each[0].startswith("test_")]
    assert name == "test_the_last_sale_comes_again"
    run(tmp_path / "week")
