"""How much wider the bands must be, learnt from the last weeks before the cutoff."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from salescast.container.algorithms.direct.network import Sizes, quantiles, views
from salescast.container.algorithms.direct.training import train
from salescast.container.records import FloatArray
from salescast.container.weekly.batches import make_batch, trainable
from salescast.container.weekly.inputs import Rules
from salescast.container.weekly.levels import LEVELS, MEDIAN
from salescast.container.weekly.panel import Panel, Weeks

HELD_WEEKS = 13
"""Weeks before the cutoff that the network which tells the bands is not trained on."""

LEAST_ERRORS = 200
"""Errors to either side of the median that tell a stretch; with fewer there is none."""

LARGEST_STRETCH = 2.0

_LOW, _HIGH = 1, len(LEVELS) - 2
_HELD = 1 - LEVELS[_LOW] / 0.5
"""Share of the errors to one side that lie between the median and p10 or p90."""


def learn_stretch(
    panel: Panel,
    groups: Weeks,
    rules: Rules,
    kind: str,
    sizes: Sizes,
    *,
    horizon: int,
    n_steps: int,
    dropout: float,
    generator: np.random.Generator,
) -> tuple[float, float]:
    """How much the lower and the upper half of the bands are stretched; never below 1.

    A network is trained without the last weeks and forecasts them. One such origin tells little,
    so that half of what it tells is taken, in logarithms.

    Args:
        panel: The series.
        groups: What they sold together.
        rules: What makes inputs.
        kind: Of the network.
        sizes: Of the network.
        horizon: Weeks ahead.
        n_steps: Batches.
        dropout: Share of cells left out of each layer.
        generator: Source of the network's training.
    """
    earlier = replace(panel, end=panel.end - HELD_WEEKS)
    series = trainable(earlier)
    if not len(series):
        return 1.0, 1.0
    flat = train(
        earlier,
        groups,
        rules,
        kind,
        sizes,
        horizon=horizon,
        n_steps=n_steps,
        dropout=dropout,
        generator=generator,
    )
    n_leads = min(HELD_WEEKS, horizon)
    leads = np.tile(np.arange(1, n_leads + 1), (len(series), 1))
    batch = make_batch(panel, groups, series, earlier.end[series], leads, rules, kind)
    found = quantiles(views(flat, sizes), batch.inputs)
    error = batch.target - found[..., MEDIAN]
    is_known = batch.weight > 0
    lower = stretch_of(-error[is_known], (found[..., MEDIAN] - found[..., _LOW])[is_known])
    upper = stretch_of(error[is_known], (found[..., _HIGH] - found[..., MEDIAN])[is_known])
    return lower, upper


def stretch_of(error: FloatArray, width: FloatArray) -> float:
    """Of one half of the bands: its errors, of which some lie on the other side, and its widths."""
    on_side = error > 0
    if np.count_nonzero(on_side) < LEAST_ERRORS:
        return 1.0
    ratio = error[on_side] / np.maximum(width[on_side], 1e-9)
    return float(np.clip(np.quantile(ratio, _HELD), 1.0, LARGEST_STRETCH**2) ** 0.5)
