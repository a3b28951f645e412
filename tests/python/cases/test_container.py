"""Cases of the training and transform program: series without sales, at all or of late."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from container.conftest import Container
from salescast.container.__main__ import main
from support.cases import CASES

pytestmark = pytest.mark.torch


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """An empty tree of the program."""
    return Container(tmp_path / "ml", monkeypatch)


def forecasts(container: Container, infer: Path, *options: str) -> list[Any]:
    """One answer a line of a file."""
    output = container.root / "out.json"
    arguments = ["transform", "--input", str(infer), "--output", str(output), *options]
    assert main(arguments) == 0, container.failure
    return [json.loads(line) for line in output.read_text("utf-8").splitlines()]


def test_a_series_without_sales_is_forecast(container: Container) -> None:
    """The model knows one category around 100 and one around 1,000."""
    lines = [
        {
            "start": "2024-01-06 00:00:00",
            "target": [level + week % 7 for week in range(74)],
            "cat": [category],
        }
        for category, level in ((0, 100), (0, 104), (1, 1_000), (1, 1_040)) * 3
    ]
    assert container.train(lines, epochs="20", learning_rate="0.02") == 0
    infer = CASES / "cold_start_empty_target" / "infer.json"
    cold, cold_too, known = forecasts(container, infer)
    low, high = (answer["quantiles"]["0.5"] for answer in (cold, cold_too))
    assert [len(answer["quantiles"]["0.5"]) for answer in (cold, cold_too, known)] == [3] * 3
    # Forecast from the categories: the one sells ten times what the other does.
    assert all(20 < value < 300 for value in low)
    assert all(300 < value < 3_000 for value in high)
    assert all(50 < value < 200 for value in known["quantiles"]["0.5"])


def test_a_series_that_stopped_keeps_its_level(container: Container) -> None:
    """Both sold 5 a week and stopped 60 and 40 weeks ago, beside items that sell 1,000 and more."""
    case = CASES / "no_sale_within_context"
    shutil.copytree(case / "input", container.root / "input", copy_function=shutil.copyfile)
    assert main(["train"]) == 0, container.failure
    answers = forecasts(container, case / "infer.json", "--join", "item")
    found = {answer["item"]: answer["SageMakerOutput"] for answer in answers}
    for item in ("ended60", "ended40"):
        assert all(2 < value < 8 for value in found[item]["mean"])
        assert all(0 < value < 10 for value in found[item]["quantiles"]["0.9"])
    assert all(500 < value < 2_000 for value in found["r0"]["mean"])
