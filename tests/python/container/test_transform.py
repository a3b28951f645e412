"""The transform program: order, joins, independence of batching, refusals."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from .conftest import Container
from .lines import Lines, make_lines

pytestmark = pytest.mark.torch


def _inference_lines() -> Lines:
    return [{"item_id": f"7:{number}", **line} for number, line in enumerate(make_lines(future=3))]


@pytest.fixture
def trained(container: Container) -> Container:
    assert container.train(make_lines(), epochs="5", learning_rate="0.01") == 0
    return container


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


def _set(**fields: Any) -> Callable[[Lines], None]:
    return lambda lines: lines[3].update(fields)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (_set(cat=[0, 6]), "in.json line 4: cat[1] is 6, the model knows 0..5"),
        (_set(cat=[0]), "in.json line 4: cat has 1 values, the model was trained with 2"),
        (_set(dynamic_feat=[]), "in.json line 4: dynamic_feat has 0 features"),
        (_set(dynamic_feat=[[0.5] * 40]), "in.json line 4: dynamic_feat has 40 steps"),
        (_set(target=[]), "in.json line 4: dynamic_feat has 43 steps, must be 3"),
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

    monkeypatch.setattr("salescast.container.transform.forecast", broken)
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
