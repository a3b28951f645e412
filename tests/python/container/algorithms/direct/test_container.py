"""The container's commands with direct, from the channel to the lines of a transform."""

from __future__ import annotations

import json

import numpy as np
import pytest

from salescast.quantiles import QUANTILES

from ...conftest import Container
from ...lines import Lines, make_lines

SETTINGS = {
    **dict.fromkeys(
        (
            "context_length",
            "epochs",
            "mini_batch_size",
            "num_cells",
            "num_batches_per_epoch",
            "lags",
        )
    ),
    "algorithm": "direct",
    "steps": "20",
}


def train(container: Container, lines: Lines) -> None:
    assert container.train(lines, test=lines, **SETTINGS) == 0, container.failure


def test_a_job_goes_the_whole_way(container: Container, capsys: pytest.CaptureFixture[str]) -> None:
    train(container, make_lines(80, 90))
    log = capsys.readouterr().out
    assert "gated network, 90 weeks: 20 steps, dropout 0.40" in log
    assert "#quality_metric: host=algo-1, test mean_wQuantileLoss <loss>=" in log
    model = container.root / "model"
    assert {path.name for path in model.iterdir()} == {
        "algorithm.json",
        "direct.json",
        "direct-arrays.npz",
    }

    lines = make_lines(80, 90, future=3)
    assert container.transform(lines, quantiles=list(QUANTILES)) == 0, container.failure
    for answer in container.answers():
        assert set(answer) == {"mean", "quantiles"}
        rows = np.array([answer["quantiles"][level] for level in QUANTILES])
        assert rows.shape == (len(QUANTILES), 3)
        assert (np.diff(rows, axis=0) > 0).all()
        assert (rows[0] < answer["mean"]).all()
        assert (answer["mean"] < rows[-1]).all()


def test_the_lines_of_a_transform_do_not_depend_on_the_batch(container: Container) -> None:
    train(container, make_lines(80, 90))
    lines = make_lines(80, 90, future=3)
    assert container.transform(lines, quantiles=["0.1", "0.9"]) == 0, container.failure
    together = container.output.read_text().splitlines()
    for line, expected in zip(lines[:3], together, strict=False):
        assert container.transform([line], quantiles=["0.1", "0.9"]) == 0, container.failure
        assert container.output.read_text() == f"{expected}\n"


def test_it_draws_no_sample_paths(container: Container) -> None:
    train(container, make_lines(80, 90))
    assert container.transform(make_lines(80, 90, future=3), output_types=["samples"]) == 1
    assert "output_types: the model's algorithm makes no samples" in container.failure


def test_another_program_s_model_is_refused(container: Container) -> None:
    train(container, make_lines(80, 90))
    path = container.root / "model" / "direct.json"
    path.write_text(json.dumps({"format_version": 99}))
    assert container.transform(make_lines(80, 90, future=3)) == 1
    assert "format 99 is not known to this program" in container.failure
