"""The network: gradients against finite differences, quantiles in order, cells left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from salescast.container.algorithms.direct.network import (
    Dropped,
    Floats,
    Sizes,
    first_weights,
    loss_and_gradient,
    n_weights,
    quantiles,
    views,
)
from salescast.container.weekly.inputs import Inputs
from salescast.container.weekly.levels import LEVELS, MEDIAN

N_CUTOFFS, N_LEADS = 5, 4


def some_sizes(n_linear: int = 3, cardinality: tuple[int, ...] = (3, 2)) -> Sizes:
    return Sizes(
        n_hidden=7,
        n_candidates=6,
        n_cutoff=8,
        n_lead=9,
        n_linear=n_linear,
        cardinality=cardinality,
    )


def some_inputs(sizes: Sizes, seed: int = 0) -> Inputs:
    generator = np.random.default_rng(seed)
    rows = (N_CUTOFFS, N_LEADS)
    return Inputs(
        scale=np.ones(N_CUTOFFS),
        cutoff=generator.normal(size=(N_CUTOFFS, 1, sizes.n_cutoff)),  # type: ignore[arg-type]
        lead=generator.normal(size=(*rows, sizes.n_lead)),  # type: ignore[arg-type]
        candidates=generator.normal(size=(*rows, sizes.n_candidates)),  # type: ignore[arg-type]
        linear=generator.normal(size=(*rows, sizes.n_linear)),  # type: ignore[arg-type]
        codes=generator.integers(0, 2, size=(N_CUTOFFS, len(sizes.cardinality))),
    )


def some_weights(sizes: Sizes) -> Floats:
    """In float64, away from where the derivative of a clipped or absolute value jumps."""
    generator = np.random.default_rng(3)
    flat = first_weights(sizes, generator).astype(np.float64)
    return flat + 0.2 * generator.normal(size=flat.shape)


@pytest.mark.parametrize("n_linear", [0, 3])
@pytest.mark.parametrize("cardinality", [(), (3, 2)])
@pytest.mark.parametrize("with_dropout", [False, True])
def test_gradients_are_those_of_finite_differences(
    n_linear: int, cardinality: tuple[int, ...], with_dropout: bool
) -> None:
    sizes = some_sizes(n_linear, cardinality)
    inputs, flat = some_inputs(sizes), some_weights(sizes)
    generator = np.random.default_rng(1)
    rows = (N_CUTOFFS, N_LEADS)
    target = generator.normal(size=rows)
    weight = (generator.random(rows) < 0.8).astype(np.float64)
    cells = (*rows, sizes.n_hidden)
    first, second = (generator.random((2, *cells)) < 0.6) / 0.6
    dropped = Dropped(first, second) if with_dropout else None

    def loss(at: Floats) -> float:
        unused = views(np.empty_like(at), sizes)
        return loss_and_gradient(views(at, sizes), unused, inputs, target, weight, dropped)

    found = np.full_like(flat, np.nan)
    loss_and_gradient(views(flat, sizes), views(found, sizes), inputs, target, weight, dropped)
    step = 1e-6
    expected = np.empty_like(flat)
    for place in range(len(flat)):
        moved = np.zeros_like(flat)
        moved[place] = step
        expected[place] = (loss(flat + moved) - loss(flat - moved)) / (2 * step)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert np.abs(expected).max() > 0.01


def test_the_loss_is_the_mean_pinball_loss_of_observed_weeks() -> None:
    sizes = some_sizes()
    inputs, flat = some_inputs(sizes), some_weights(sizes)
    target = np.full((N_CUTOFFS, N_LEADS), 0.7)
    weight = np.zeros_like(target)
    weight[2, 1] = weight[3, 3] = 1
    found = loss_and_gradient(
        views(flat, sizes), views(np.empty_like(flat), sizes), inputs, target, weight
    )
    made = quantiles(views(flat, sizes), inputs)
    error = 0.7 - np.stack([made[2, 1], made[3, 3]])
    assert found == pytest.approx(np.maximum(LEVELS * error, (LEVELS - 1) * error).mean())


def test_weeks_without_an_observation_have_no_gradient() -> None:
    sizes = some_sizes()
    flat, gradient = some_weights(sizes), np.empty(n_weights(sizes))
    nothing = np.zeros((N_CUTOFFS, N_LEADS))
    loss = loss_and_gradient(
        views(flat, sizes), views(gradient, sizes), some_inputs(sizes), nothing, nothing
    )
    assert loss == 0
    assert (gradient == 0).all()


def test_quantiles_never_cross_whatever_the_weights() -> None:
    sizes = some_sizes()
    for seed in range(20):
        flat = np.random.default_rng(seed).normal(scale=3, size=n_weights(sizes))
        made = quantiles(views(flat.astype(np.float32), sizes), some_inputs(sizes, seed))
        assert np.isfinite(made).all()
        assert (np.diff(made, axis=-1) >= 0).all()


def test_a_cutoff_is_computed_by_itself() -> None:
    sizes = some_sizes()
    weights = views(some_weights(sizes).astype(np.float32), sizes)
    inputs = some_inputs(sizes)
    together = quantiles(weights, inputs)
    for row in range(N_CUTOFFS):
        one = Inputs(**{name: values[[row]] for name, values in vars(inputs).items()})
        np.testing.assert_array_equal(quantiles(weights, one)[0], together[row])


def test_it_begins_near_the_same_week_of_last_year() -> None:
    sizes = some_sizes()
    inputs = some_inputs(sizes)
    candidates = np.full_like(inputs.candidates, 1.0)
    flat = first_weights(sizes, np.random.default_rng(0))
    made = quantiles(views(flat, sizes), replace(inputs, candidates=candidates))
    assert made[..., MEDIAN] == pytest.approx(1, abs=0.5)
