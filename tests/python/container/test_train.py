"""The training program under the container contract."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salescast.container.__main__ import main
from salescast.container.paths import ContainerPaths

from .conftest import Container
from .lines import Lines, make_lines

pytestmark = pytest.mark.torch


def _weights(container: Container) -> dict[str, np.ndarray[Any, Any]]:
    (path,) = (container.root / "model").glob("*.npz")
    with np.load(path, allow_pickle=False) as weights:
        return dict(weights)


def _same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name]) for name in one
    )


def test_training_logs_the_metrics_of_the_built_in(
    container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    assert container.train(make_lines(), test=make_lines(), epochs="3") == 0
    log = capsys.readouterr().out
    losses = re.findall(r"#quality_metric: host=\S+, epoch=\S+, train loss <loss>=(\S+)", log)
    assert len(losses) == 3
    assert re.findall(r"#progress_metric: host=\S+, completed (\S+) %", log) == ["33", "66", "100"]
    (final,) = re.findall(r"#quality_metric: host=\S+, train final_loss <loss>=(\S+)", log)
    assert float(final) == min(map(float, losses))
    for metric in ("test RMSE", "test mean_wQuantileLoss"):
        (value,) = re.findall(rf"#quality_metric: host=\S+, {metric} <loss>=(\S+)", log)
        assert float(value) > 0
    quantiles = re.findall(r"#test_score \(algo-1, wQuantileLoss\[(\S+)\]\): (\S+)", log)
    assert [level for level, _ in quantiles] == [f"0.{digit}" for digit in range(1, 10)]
    mean = np.mean([float(loss) for _, loss in quantiles])
    assert float(value) == pytest.approx(mean)
    assert "contains missing values: yes" in log
    assert container.failure == ""


def test_there_are_no_test_metrics_without_a_test_channel(
    container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    assert container.train(make_lines()) == 0
    assert "test" not in capsys.readouterr().out


def test_training_learns(container: Container, capsys: pytest.CaptureFixture[str]) -> None:
    assert container.train(make_lines(), epochs="12", learning_rate="0.02") == 0
    losses = [
        float(text) for text in re.findall(r"train loss <loss>=(\S+)", capsys.readouterr().out)
    ]
    assert min(losses) < losses[0] - 0.3


def test_the_order_of_lines_and_files_does_not_matter(container: Container) -> None:
    lines = make_lines()
    assert container.train(lines) == 0
    first = _weights(container)
    folder = container.root / "input" / "data" / "train"
    (folder / "part.json").unlink()
    (folder / "deep").mkdir()
    for name, part in (("deep/a", lines[7:]), ("b", lines[:7][::-1])):
        text = "".join(json.dumps(line) + "\n" for line in part)
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(text.encode()))
    shutil.rmtree(container.root / "model")
    assert main(["train"]) == 0
    assert _same_weights(first, _weights(container))


def test_another_seed_gives_another_model(container: Container) -> None:
    assert container.train(make_lines()) == 0
    first = _weights(container)
    assert container.train(make_lines(), seed="1") == 0
    assert not _same_weights(first, _weights(container))


def test_early_stopping_keeps_the_best_epoch(
    container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"epochs": "60", "early_stopping_patience": "1", "learning_rate": "0.5"}
    assert container.train(make_lines(), **settings) == 0
    log = capsys.readouterr().out
    losses = list(map(float, re.findall(r"epoch=\d+, train loss <loss>=(\S+)", log)))
    assert len(losses) < 60
    final, epoch = re.findall(r"Final loss: (\S+) \(occurred at epoch (\d+)\)", log)[0]
    assert float(final) == min(losses) == losses[int(epoch)]


@pytest.mark.parametrize(
    "likelihood", ["gaussian", "student-T", "negative-binomial", "beta", "deterministic-L1"]
)
def test_every_likelihood_trains_and_forecasts(container: Container, likelihood: str) -> None:
    lines = make_lines()
    future = make_lines(future=3)
    for line in (*lines, *future):
        counts = [value if value is None else abs(round(value)) for value in line["target"]]
        line["target"] = (
            [value if value is None else value / 5000 for value in counts]
            if likelihood == "beta"
            else counts
        )
    assert container.train(lines, likelihood=likelihood) == 0, container.failure
    assert container.transform(future) == 0, container.failure
    answers = container.answers()
    middle = np.array([answer["quantiles"]["0.5"] for answer in answers])
    spread = np.array([answer["quantiles"]["0.9"] for answer in answers]) - middle
    assert np.isfinite(middle).all()
    if likelihood == "deterministic-L1":
        assert (spread == 0).all()
    else:
        assert (spread >= 0).all()
        assert spread.max() > 0
    if likelihood == "negative-binomial":
        container.transform(future, num_samples=5, output_types=["samples"])
        samples = np.array([answer["samples"] for answer in container.answers()])
        np.testing.assert_array_equal(samples, np.round(samples))
    if likelihood == "beta":
        assert ((middle >= 0) & (middle <= 1)).all()


def _without(field: str) -> Callable[[Lines], None]:
    def drop(lines: Lines) -> None:
        del lines[2][field]

    return drop


def _all_zero(lines: Lines) -> None:
    for line in lines:
        line["target"] = [0] * len(line["target"])


@pytest.mark.parametrize(
    ("break_it", "settings", "message"),
    [
        (_without("target"), {}, "part.json line 3: target is missing"),
        (_without("cat"), {}, "part.json line 3: cat has 0 values"),
        (_all_zero, {}, "consist of only zeros"),
        (list.clear, {}, "train: no records"),
        (lambda lines: lines.__delitem__(slice(7, None)), {}, "273 observations"),
        (lambda lines: None, {"epochs": "none"}, "epochs must be an integer"),
        (lambda lines: None, {"lag": "[1]"}, "lag is not a hyperparameter"),
        (lambda lines: None, {"context_length": None}, "context_length is required"),
        (lambda lines: None, {"prediction_length": "41"}, "shorter than prediction_length"),
        (lambda lines: None, {"cardinality": "[3, 6]"}, "for all categories of cat[0]: 2 "),
        (lambda lines: None, {"num_dynamic_feat": "2"}, "num_dynamic_feat is 2"),
        (lambda lines: None, {"likelihood": "beta"}, "target leaves [0, 1]"),
        (lambda lines: None, {"likelihood": "negative-binomial"}, "negative or fractional"),
    ],
)
def test_bad_data_or_settings_are_a_client_error(
    container: Container,
    break_it: Callable[[Lines], None],
    settings: dict[str, str | None],
    message: str,
) -> None:
    lines = make_lines()
    break_it(lines)
    assert container.train(lines, **settings) == 1
    assert container.failure.startswith("ClientError: ")
    assert message in container.failure
    assert "\n" not in container.failure
    assert not (container.root / "model").exists()


def test_a_target_beyond_single_precision_is_a_client_error(container: Container) -> None:
    lines = make_lines()
    lines[4]["target"][7] = 1e39
    assert container.train(lines) == 1
    assert "part.json line 5: target holds a value beyond" in container.failure


def test_a_fault_of_the_program_is_an_algorithm_error(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(paths: ContainerPaths, n_threads: int | None) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("salescast.container.train.train", fail)
    assert container.train(make_lines()) == 1
    assert container.failure == "AlgorithmError: RuntimeError: broken"


def test_a_bad_test_channel_is_refused_before_training(container: Container) -> None:
    test = make_lines()
    test[1]["cat"] = [0, 6]
    assert container.train(make_lines(), test=test) == 1
    assert "part.json line 2: cat[1] is 6" in container.failure


def test_series_shorter_than_the_horizon_are_ignored(
    container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = make_lines()
    short = {**lines[0], "target": [1, 2], "dynamic_feat": [[0.1, 0.2]]}
    assert container.train([*lines, short]) == 0
    with_short = _weights(container)
    assert "ignored: 1" in capsys.readouterr().out
    assert container.train(lines) == 0
    assert _same_weights(with_short, _weights(container))


@pytest.mark.parametrize(
    ("n_series", "n_weeks", "settings"),
    [
        (34, 10, {"prediction_length": "1", "context_length": "1", "lags": "auto"}),
        (34, 10, {"prediction_length": "1", "context_length": "52", "num_layers": "1"}),
        (34, 10, {"prediction_length": "10", "context_length": "3"}),
        (10, 60, {"prediction_length": "52", "context_length": "13", "training_window": "4"}),
        (12, 40, {"time_features": "none", "age_feature": "false", "num_dynamic_feat": "ignore"}),
        (12, 40, {"lr_schedule": "one_cycle", "sampling": "sqrt_scale"}),
        (12, 40, {"cardinality": "ignore", "lags": "[9]", "mini_batch_size": "500"}),
    ],
)
def test_small_data_and_odd_lengths_work(
    container: Container, n_series: int, n_weeks: int, settings: dict[str, str]
) -> None:
    assert container.train(make_lines(n_series, n_weeks), **settings) == 0, container.failure
    horizon = int(settings.get("prediction_length", "3"))
    lines = make_lines(n_series, n_weeks, future=horizon)
    lines[0]["target"] = lines[0]["target"][-2:]
    lines[0]["dynamic_feat"] = [lines[0]["dynamic_feat"][0][: 2 + horizon]]
    assert container.transform(lines) == 0, container.failure
    answers = container.answers()
    assert len(answers) == n_series
    assert all(len(answer["mean"]) == horizon for answer in answers)
    assert np.isfinite([answer["mean"] for answer in answers]).all()


@pytest.mark.parametrize("time_freq", ["M", "2W", "D", "H", "15min"])
def test_other_frequencies_train(container: Container, time_freq: str) -> None:
    assert container.train(make_lines(), time_freq=time_freq, lags=None) == 0, container.failure
    assert container.transform(make_lines(future=3)) == 0


def test_the_model_is_free_of_pickles(container: Container, tmp_path: Path) -> None:
    assert container.train(make_lines()) == 0
    names = {path.name for path in (container.root / "model").iterdir()}
    assert names == {"model_algo-1-config.json", "model_algo-1-weights.npz"}
    assert all(array.dtype == np.float32 for array in _weights(container).values())
