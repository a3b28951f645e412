"""Training: which series and windows are drawn, what a batch's loss counts, what is kept."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from salescast.container.algorithms.deepar.fit import Job, _Trainer, fit, make_job
from salescast.container.algorithms.deepar.hyperparameters import (
    Hyperparameters,
    parse_hyperparameters,
)
from salescast.container.algorithms.deepar.network import build_network
from salescast.container.algorithms.deepar.series import WindowSampler
from salescast.container.checks import Summary
from salescast.container.records import Record, parse_record

from ...conftest import SETTINGS
from ...lines import Lines, make_lines

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    # Threads that wait for each other make tiny networks slow on a busy machine.
    torch.set_num_threads(1)


def records_of(lines: Lines) -> list[Record]:
    return [parse_record(line, f"line {number}") for number, line in enumerate(lines, start=1)]


def settings_of(**changes: str) -> Hyperparameters:
    return parse_hyperparameters({**SETTINGS, **changes})


def summary_of(records: list[Record]) -> Summary:
    """What the check of the records would tell; it refuses data as small as these."""
    return Summary(
        n_series=len(records),
        n_trainable=len(records),
        n_points=sum(len(record.target) for record in records),
        n_observed=sum(record.n_observed for record in records),
        cardinality=tuple(1 + max(codes) for codes in zip(*(r.cat for r in records), strict=True)),
        num_dynamic_feat=len(records[0].dynamic_feat),
        weekday=4,
    )


def a_job(lines: Lines, **changes: str) -> Job:
    records = records_of(lines)
    return make_job(records, settings_of(**changes), summary_of(records))


def level_lines(*levels: float) -> Lines:
    """Series that sell the same each week, but for missing weeks; cat tells them apart."""
    return [
        {
            "start": "2024-01-05 00:00:00",
            "target": [None if week % 4 == 1 else (-1) ** week * level for week in range(20)],
            "cat": [number],
        }
        for number, level in enumerate(levels)
    ]


def drawn_shares(job: Job, n_series: int) -> np.ndarray[Any, Any]:
    generator = np.random.default_rng(5)
    counts = np.zeros(n_series)
    for _ in range(100):
        counts += np.bincount(job.sampler.draw(generator, 64).cat[:, 0], minlength=n_series)
    return counts / counts.sum()


# ---- windows ---------------------------------------------------------------------------------


def test_by_sqrt_scale_a_series_is_drawn_by_the_root_of_its_mean() -> None:
    levels = (400.0, 100.0, 25.0, 4.0, 0.0)
    shares = drawn_shares(a_job(level_lines(*levels), sampling="sqrt_scale"), len(levels))
    # The series of zeros is drawn as one of a ten-thousandth of the largest would be.
    roots = np.array([20, 10, 5, 2, 0.2])
    np.testing.assert_allclose(shares, roots / roots.sum(), atol=0.002)


def test_by_default_every_series_is_drawn_as_often() -> None:
    shares = drawn_shares(a_job(level_lines(400, 100, 25, 4, 0)), 5)
    np.testing.assert_allclose(shares, 0.2, atol=0.002)


def test_series_that_cannot_train_are_never_drawn() -> None:
    lines = level_lines(9, 9, 9, 9)
    lines[1]["target"] = lines[1]["target"][:2]
    lines[2]["target"] = [None] * 20
    np.testing.assert_allclose(drawn_shares(a_job(lines), 4), [0.5, 0, 0, 0.5], atol=0.002)


@pytest.mark.parametrize(
    ("changes", "past", "window"),
    [
        ({}, 6 + 4, 3),
        ({"lags": "[1, 9]"}, 6 + 9, 3),
        ({"training_window": "2", "prediction_length": "5"}, 6 + 4, 2),
    ],
)
def test_windows_are_cut_as_the_settings_say(
    changes: Mapping[str, str], past: int, window: int
) -> None:
    lines = make_lines(5, n_weeks=25)
    job = a_job(lines, **changes)
    ordered = sorted(records_of(lines), key=Record.content_hash)
    features = np.array([record.dynamic_feat[0] for record in ordered])
    assert job.config.rules.means == pytest.approx([features.mean()])
    assert job.config.rules.scales == pytest.approx([features.std()])
    expected = WindowSampler(
        ordered,
        job.config.rules,
        use_cat=True,
        context_length=6,
        past_length=past,
        window=window,
        weights=np.ones(5),
        category_scales=job.config.category_scales,
    ).draw(np.random.default_rng(3), 40)
    drawn = job.sampler.draw(np.random.default_rng(3), 40)
    assert drawn.past_target.shape == (40, past)
    assert drawn.future_target.shape == (40, window)
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(drawn, name), values, err_msg=name)


# ---- loss ------------------------------------------------------------------------------------


def test_the_loss_is_gluonts_own_over_the_observed_points_of_context_and_window() -> None:
    lines = make_lines(8, n_weeks=30)
    for line in lines:
        line["target"] = [
            # The first week is known: GluonTS scales an empty context by the mean of all series.
            None if week % 3 == 1 else value or 7.0
            for week, value in enumerate(line["target"])
        ]
    job = a_job(lines, dropout_rate="0", mini_batch_size="64", num_batches_per_epoch="1")
    trainer = _Trainer(job, 0)
    network = build_network(job.config)
    network.load_state_dict(
        {name: torch.from_numpy(value) for name, value in trainer.weights().items()}
    )
    # The trainer's generator gives its first number to torch.
    generator = np.random.default_rng([0, 0])
    generator.integers(2**63)
    windows = job.sampler.draw(generator, 64)
    by_point = network.loss(
        feat_static_cat=torch.from_numpy(windows.cat),
        feat_static_real=torch.zeros((64, 1)),
        past_time_feat=torch.from_numpy(windows.past_features),
        past_target=torch.from_numpy(windows.past_target),
        past_observed_values=torch.from_numpy(windows.past_observed),
        future_time_feat=torch.from_numpy(windows.future_features),
        future_target=torch.from_numpy(windows.future_target),
        future_observed_values=torch.from_numpy(windows.future_observed),
        aggregate_by=lambda losses, dim: losses,
    )
    n_observed = windows.past_observed[:, -5:].sum() + windows.future_observed.sum()
    assert 0.5 < n_observed / (64 * 8) < 0.8
    assert trainer.epoch() == pytest.approx(by_point.sum().item() / n_observed, rel=1e-5)


# ---- the kept epoch --------------------------------------------------------------------------


def epochs_by_hand(job: Job, n_epochs: int) -> tuple[list[float], list[dict[str, Any]]]:
    """Loss of each epoch, and the weights after it."""
    trainer = _Trainer(job, 0)
    losses, weights = [], []
    for _ in range(n_epochs):
        losses.append(trainer.epoch())
        weights.append(trainer.weights())
    return losses, weights


@pytest.mark.parametrize(
    ("changes", "keeps_last"),
    [
        ({"lr_schedule": "one_cycle"}, True),
        ({"lr_schedule": "plateau"}, False),
        # It stops before its cycle is complete, so its last epoch is none to rely on.
        ({"lr_schedule": "one_cycle", "early_stopping_patience": "1"}, False),
    ],
)
def test_kept_is_the_best_epoch_but_the_last_of_a_complete_cycle(
    changes: dict[str, str], keeps_last: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    # Small steps on one small batch an epoch: the losses are chance, so the last is not the lowest.
    chosen = {
        "epochs": "8",
        "learning_rate": "1e-4",
        "seed": "5",
        "mini_batch_size": "4",
        "num_batches_per_epoch": "1",
        **changes,
    }
    lines = make_lines()
    records = records_of(lines)
    settings = settings_of(**chosen)
    losses, weights = epochs_by_hand(a_job(lines, **chosen), settings.epochs)
    if "early_stopping_patience" in changes:
        worse = next(n for n in range(1, len(losses)) if losses[n] >= min(losses[:n]))
        assert worse + 1 < settings.epochs
        losses = losses[: worse + 1]
    lowest = int(np.argmin(losses))
    last = len(losses) - 1
    assert lowest != last
    kept = last if keeps_last else lowest

    capsys.readouterr()
    model = fit(records, settings, summary_of(records))
    log = capsys.readouterr().out
    told = [float(text) for text in re.findall(r"train loss <loss>=(\S+)", log)]
    assert told == losses
    ((final, epoch),) = re.findall(r"Final loss: (\S+) \(occurred at epoch (\d+)\)", log)
    assert (float(final), int(epoch)) == (losses[kept], kept)
    (network,) = model.networks
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value.float().numpy(), weights[kept][name], err_msg=name)
    assert math.isfinite(losses[kept])
