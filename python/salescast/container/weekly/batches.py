"""Random cutoffs of the series with what came after them: what a model is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from salescast.container.weekly.inputs import Inputs, Rules, make_inputs
from salescast.container.weekly.panel import Float32Array, IntArray, Panel, Weeks

BATCH_CUTOFFS = 512
BATCH_LEADS = 8

RECENCY = 0.6
"""Power of the draws between the first week, 0, and the last, 1: below 1 late ones are more."""

LARGEST_TARGET = 1e4
"""In scales: further away a target does not pull stronger, it is only written smaller."""


@dataclass(frozen=True)
class Batch:
    """Some cutoffs with what came after them.

    Attributes:
        inputs: What the network sees.
        target: Cutoff by week ahead, in scales.
        weight: Cutoff by week ahead, 1 where the target is observed.
    """

    inputs: Inputs
    target: Float32Array
    weight: Float32Array


def trainable(panel: Panel) -> IntArray:
    """Series that have a week after their first observed one."""
    return np.flatnonzero(panel.first < panel.end)


def batches(
    panel: Panel,
    groups: Weeks,
    rules: Rules,
    kind: str,
    horizon: int,
    n_batches: int,
    generator: np.random.Generator,
) -> Iterator[Batch]:
    """Draw cutoffs: series by the square root of their mean, late weeks more often.

    Args:
        panel: The series.
        groups: What they sold together.
        rules: What makes inputs.
        kind: Of the network.
        horizon: Weeks ahead.
        n_batches: Batches to draw.
        generator: Source of the draws.
    """
    usable = trainable(panel)
    first, end = panel.first[usable], panel.end[usable]
    mean = panel.scales(usable, end)
    chance = np.cumsum(np.sqrt(mean / mean.max()))
    for _ in range(n_batches):
        # Evenly spread over the series, so that batches differ little.
        places = (np.arange(BATCH_CUTOFFS) + generator.random()) / BATCH_CUTOFFS
        drawn = np.minimum(np.searchsorted(chance, places * chance[-1]), len(usable) - 1)
        series = usable[drawn]
        age = generator.random(BATCH_CUTOFFS) ** RECENCY * (end - first)[drawn]
        cutoff = np.minimum(first[drawn] + age.astype(np.int64), end[drawn] - 1)
        n_leads = np.minimum(horizon, end[drawn] - cutoff)
        spread = np.arange(BATCH_LEADS) + generator.random((BATCH_CUTOFFS, BATCH_LEADS))
        leads = 1 + (spread / BATCH_LEADS * n_leads[:, None]).astype(np.int64)
        leads = np.minimum(leads, n_leads[:, None])
        yield make_batch(panel, groups, series, cutoff, leads, rules, kind)


def make_batch(
    panel: Panel,
    groups: Weeks,
    series: IntArray,
    cutoff: IntArray,
    leads: IntArray,
    rules: Rules,
    kind: str,
) -> Batch:
    """Some cutoffs with the sales of the weeks ahead."""
    inputs = make_inputs(panel, groups, series, cutoff, leads, rules, kind)
    ahead = cutoff[:, None] + leads
    target = panel.weeks.sales_at(series, ahead) / inputs.scale[:, None]
    is_known = ~np.isnan(target)
    target = np.where(is_known, target, 0)
    return Batch(
        inputs=inputs,
        target=np.clip(target, -LARGEST_TARGET, LARGEST_TARGET).astype(np.float32),
        weight=is_known.astype(np.float32),
    )
