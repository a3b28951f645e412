"""Sample paths: their network, their distribution, independence of batches."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from gluonts.torch.distributions.studentT import StudentT

from salescast.container.algorithms.deepar.network import (
    TrainedModel,
    _history,
    load_model,
    sample_paths,
)
from salescast.container.paths import ContainerPaths
from salescast.container.records import read_records

from ...conftest import Container
from ...lines import Lines, make_lines, write_lines

pytestmark = pytest.mark.torch


def _inference_lines() -> Lines:
    return [{"item_id": f"7:{number}", **line} for number, line in enumerate(make_lines(future=3))]


@pytest.fixture
def trained(container: Container) -> Container:
    assert container.train(make_lines(), epochs="5", learning_rate="0.01") == 0
    return container


def _model(container: Container) -> TrainedModel:
    return load_model(ContainerPaths(container.root).model)


def test_every_network_of_an_ensemble_gives_its_share_of_paths(
    container: Container, capfd: pytest.CaptureFixture[str]
) -> None:
    assert container.train(make_lines(), ensemble_size="2", num_layers="1", epochs="4") == 0
    log = capfd.readouterr().out
    assert len(re.findall(r"epoch=\d+, train loss <loss>=", log)) == 4
    assert len(re.findall(r"train final_loss <loss>=", log)) == 1
    model = _model(container)
    first, second = (network.rnn.weight_hh_l0 for network in model.networks[:2])
    assert not torch.equal(first, second)
    records = read_records([write_lines(container.root / "x.json", _inference_lines())])
    paths = np.stack(list(sample_paths(model, records, 5)))
    assert paths.shape == (12, 5, 3)
    again = np.stack(list(sample_paths(_model(container), records, 5, series_per_batch=5)))
    np.testing.assert_allclose(again, paths, rtol=1e-9)


@pytest.mark.parametrize("series_per_batch", [1, 5, 12])
def test_the_size_of_batches_does_not_change_a_path(
    trained: Container, series_per_batch: int
) -> None:
    records = read_records([write_lines(trained.root / "x.json", _inference_lines())])
    model = _model(trained)
    together = np.stack(list(sample_paths(model, records, 11)))
    apart = np.stack(list(sample_paths(model, records, 11, series_per_batch)))
    np.testing.assert_allclose(apart, together, rtol=1e-9)


@pytest.mark.parametrize("lags", ["[1, 2, 4]", "[5]", "[2, 30]"])
def test_the_unrolled_network_is_that_of_gluonts(
    container: Container, monkeypatch: pytest.MonkeyPatch, lags: str
) -> None:
    """With the location in place of noise, both ways to unroll give one path."""
    assert container.train(make_lines(), likelihood="deterministic-L1", lags=lags) == 0
    model = _model(container)
    records = read_records([write_lines(container.root / "x.json", _inference_lines())])
    ours = np.stack(list(sample_paths(model, records, 1)))[:, 0]

    class Location:
        def __init__(self, value: torch.Tensor) -> None:
            self._value = value

        def sample(self) -> torch.Tensor:
            return self._value

    def location(
        params: Any, scale: torch.Tensor | None = None, trailing_n: int | None = None
    ) -> Location:
        loc = params[0] if trailing_n is None else params[0][:, -trailing_n:]
        return Location(loc * scale)

    monkeypatch.setattr(model.networks[0], "output_distribution", location)
    with torch.inference_mode():
        theirs = model.networks[0](**_history(model.config, records), num_parallel_samples=1)
    np.testing.assert_allclose(ours, theirs[:, 0].numpy(), rtol=1e-9)


def test_student_t_paths_have_the_quantiles_of_the_distribution(container: Container) -> None:
    assert container.train(make_lines(), prediction_length="1", epochs="1") == 0
    model = _model(container)
    path = write_lines(container.root / "x.json", make_lines(n_series=3, future=1))
    records = read_records([path])
    paths = np.stack(list(sample_paths(model, records, 100_000)))[:, :, 0]
    with torch.inference_mode():
        params, scale, *_ = model.networks[0].unroll_lagged_rnn(**_history(model.config, records))
    levels = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=torch.float64)
    for row in range(3):
        df, loc, spread = (float(value[row, -1]) for value in params)
        expected = StudentT(df, loc, spread).icdf(levels).numpy() * float(scale[row])
        found = np.quantile(paths[row], levels.numpy())
        centre = loc * float(scale[row])
        np.testing.assert_allclose(found - centre, expected - centre, rtol=0.05, atol=1e-3)
