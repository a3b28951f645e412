"""A container's tree and a way to run the program on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from salescast.container.__main__ import main

from .lines import Lines, write_lines

SETTINGS = {
    "time_freq": "W",
    "prediction_length": "3",
    "context_length": "6",
    "epochs": "2",
    "mini_batch_size": "8",
    "num_cells": "8",
    "num_batches_per_epoch": "3",
    "lags": "[1, 2, 4]",
}


class Container:
    """A tree like /opt/ml and the program on it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(root))
        # Threads that wait for each other make tiny networks slow on a busy machine.
        monkeypatch.setenv("DEEPAR_NUM_THREADS", "1")

    @property
    def failure(self) -> str:
        path = self.root / "output" / "failure"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def train(self, lines: Lines, test: Lines | None = None, **settings: str | None) -> int:
        """Train on lines; a setting given as None is left out."""
        chosen = {
            name: value for name, value in {**SETTINGS, **settings}.items() if value is not None
        }
        config = self.root / "input" / "config" / "hyperparameters.json"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps(chosen), encoding="utf-8")
        write_lines(self.root / "input" / "data" / "train" / "part.json", lines)
        if test is not None:
            write_lines(self.root / "input" / "data" / "test" / "part.json", test)
        return main(["train"])

    def transform(self, lines: Lines, *options: str, **config: Any) -> int:
        """Forecast lines; keyword arguments are the inference configuration."""
        if config:
            self._monkeypatch.setenv("DEEPAR_INFERENCE_CONFIG", json.dumps(config))
        source = write_lines(self.root / "in.json", lines)
        return main(["transform", "--input", str(source), "--output", str(self.output), *options])

    @property
    def output(self) -> Path:
        return self.root / "out" / "in.json.out"

    def answers(self) -> Lines:
        return [json.loads(line) for line in self.output.read_text("utf-8").splitlines()]


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    return Container(tmp_path / "ml", monkeypatch)
