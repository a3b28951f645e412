"""The data dictionary is what its script makes of the YAML as it is now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "write_data_dictionary.py"
    spec = importlib.util.spec_from_file_location("write_data_dictionary", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(script):
    is_current = script.PAGE.is_file() and script.PAGE.read_text("utf-8") == script.page()
    assert is_current, f"docs/data-dictionary.md is not what the YAML says now: {script.COMMAND}"


def test_every_public_model_is_on_the_page(script):
    text = script.page()
    for layer in script.LAYERS:
        names = [path.stem for path in (ROOT / "models" / layer).rglob("*.sql")]
        assert names
        assert [name for name in names if f"### {layer}.{name}\n" not in text] == []
