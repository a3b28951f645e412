"""The transform program: order, joins, independence of batching, refusals."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from gluonts.torch.distributions.studentT import StudentT

from salescast.deepar.contract import ContainerPaths, read_records
from salescast.deepar.network import TrainedModel, _history, load_model, sample_paths

from .conftest import Container
from .lines import Lines, make_lines, write_lines


def _inference_lines() -> Lines:
    return [{"item_id": f"7:{number}", **line} for number, line in enumerate(make_lines(future=3))]


@pytest.fixture
def trained(container: Container) -> Container:
    assert container.train(make_lines(), epochs="5", learning_rate="0.01") == 0
    return container


def _model(container: Container) -> TrainedModel:
    return load_model(ContainerPaths(container.root).model)


def test_each_line_is_joined_to_its_forecast_in_order(trained: Container) -> None:
    quantiles = ["0.05", "0.5", "0.95"]
    assert (
        trained.transform(
            _inference_lines(),
            "--join",
            "item_id",
            num_samples=20,
            output_types=["mean", "quantiles"],
            quantiles=quantiles,
        )
        == 0
    )
    answers = trained.answers()
    assert [answer["item_id"] for answer in answers] == [f"7:{n}" for n in range(12)]
    assert all(list(answer) == ["item_id", "SageMakerOutput"] for answer in answers)
    for answer in answers:
        forecast = answer["SageMakerOutput"]
        assert list(forecast) == ["mean", "quantiles"]
        assert list(forecast["quantiles"]) == quantiles
        values = np.array(list(forecast["quantiles"].values()))
        assert values.shape == (3, 3)
        assert (np.diff(values, axis=0) >= 0).all()


def test_without_configuration_the_documented_defaults_apply(trained: Container) -> None:
    assert trained.transform(_inference_lines()) == 0
    answer = trained.answers()[0]
    assert list(answer) == ["mean", "quantiles"]
    assert list(answer["quantiles"]) == [f"0.{digit}" for digit in range(1, 10)]


def test_samples_come_only_when_asked_for(trained: Container) -> None:
    assert trained.transform(_inference_lines(), num_samples=7, output_types=["samples"]) == 0
    for answer in trained.answers():
        assert list(answer) == ["samples"]
        assert np.array(answer["samples"]).shape == (7, 3)


def test_the_order_of_lines_does_not_change_a_forecast(trained: Container) -> None:
    lines = _inference_lines()
    assert trained.transform(lines, "--join", "item_id") == 0
    first = {answer["item_id"]: answer for answer in trained.answers()}
    random.Random(5).shuffle(lines)
    assert trained.transform(lines, "--join", "item_id") == 0
    shuffled = trained.answers()
    assert [answer["item_id"] for answer in shuffled] == [line["item_id"] for line in lines]
    for answer in shuffled:
        expected = first[answer["item_id"]]["SageMakerOutput"]
        np.testing.assert_allclose(answer["SageMakerOutput"]["mean"], expected["mean"], rtol=1e-7)
        for level, values in expected["quantiles"].items():
            np.testing.assert_allclose(
                answer["SageMakerOutput"]["quantiles"][level], values, rtol=1e-7
            )


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


def test_equal_records_of_other_items_do_not_disturb_a_forecast(trained: Container) -> None:
    lines = _inference_lines()
    assert trained.transform(lines[4:5]) == 0
    alone = trained.answers()[0]
    assert trained.transform(lines) == 0
    np.testing.assert_allclose(trained.answers()[4]["mean"], alone["mean"], rtol=1e-7)


def test_the_seed_changes_the_noise(container: Container) -> None:
    means = []
    for seed in ("0", "1"):
        assert container.train(make_lines(), seed=seed, epochs="1") == 0
        assert container.transform(_inference_lines()) == 0
        means.append([answer["mean"] for answer in container.answers()])
    assert not np.allclose(means[0], means[1], rtol=1e-3)


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


def _set(**fields: Any) -> Callable[[Lines], None]:
    return lambda lines: lines[3].update(fields)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (_set(cat=[0, 6]), "in.json line 4: cat[1] is 6, the model knows 0..5"),
        (_set(cat=[0]), "in.json line 4: cat has 1 values, the model was trained with 2"),
        (_set(dynamic_feat=[]), "in.json line 4: dynamic_feat has 0 features"),
        (_set(dynamic_feat=[[0.5] * 40]), "in.json line 4: dynamic_feat has 40 steps"),
        (_set(target=[]), "in.json line 4: target has no observation"),
        (_set(target=["NaN", None]), "in.json line 4: target has no observation"),
        (_set(start="2024-01-06 00:00:00"), "in.json line 4: start 2024-01-06 is a Saturday"),
        (lambda lines: lines[3].pop("item_id"), "in.json line 4: item_id is missing"),
    ],
)
def test_one_bad_line_fails_all_and_leaves_no_output(
    trained: Container, break_it: Callable[[Lines], None], message: str
) -> None:
    lines = _inference_lines()
    break_it(lines)
    assert trained.transform(lines, "--join", "item_id") == 1
    assert trained.failure.startswith("ClientError: ")
    assert message in trained.failure
    assert not trained.output.exists()
    assert not trained.output.parent.exists() or not list(trained.output.parent.iterdir())


def test_a_failing_forecast_leaves_no_output(
    trained: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        yield {"mean": [1.0]}
        raise RuntimeError("broken")

    monkeypatch.setattr("salescast.deepar.transform.forecast", broken)
    assert trained.transform(_inference_lines()) == 1
    assert trained.failure.startswith("AlgorithmError: ")
    assert list(trained.output.parent.iterdir()) == []


def test_a_model_trained_with_ignore_takes_records_that_still_have_the_fields(
    container: Container,
) -> None:
    assert container.train(make_lines(), cardinality="ignore", num_dynamic_feat="ignore") == 0
    assert container.transform(_inference_lines()) == 0


def test_a_model_trained_without_cat_refuses_it(container: Container) -> None:
    lines = make_lines()
    for line in lines:
        del line["cat"]
    assert container.train(lines) == 0
    assert container.transform(_inference_lines()) == 1
    assert "line 1: cat has 2 values, the model was trained with 0" in container.failure


def test_a_date_without_time_is_taken_at_inference(trained: Container) -> None:
    lines = _inference_lines()
    for line in lines:
        line["start"] = line["start"][:10]
    assert trained.transform(lines) == 0


def test_a_missing_or_foreign_model_is_a_client_error(container: Container) -> None:
    assert container.transform(_inference_lines()) == 1
    assert "not a model of this program" in container.failure
    model = container.root / "model"
    model.mkdir()
    (model / "model_algo-1-config.json").write_text(json.dumps({"format_version": 99}))
    assert container.transform(_inference_lines()) == 1
    assert "format 99 is not known" in container.failure


def test_a_bad_configuration_is_a_client_error(trained: Container) -> None:
    assert trained.transform(_inference_lines(), quantiles=["1.5"]) == 1
    assert trained.failure.startswith("ClientError: inference configuration: quantiles")


def test_an_empty_file_gives_an_empty_output(trained: Container) -> None:
    assert trained.transform([]) == 0
    assert trained.answers() == []
