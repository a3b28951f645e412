"""The quantiles that models of weekly series give, and what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from salescast.container.records import FloatArray

LEVELS = np.array([0.025, *(level / 10 for level in range(1, 10)), 0.975])
"""Levels of the quantiles that a model gives."""

MEDIAN = len(LEVELS) // 2

_SCORES = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
_MEAN_WEIGHTS = np.diff(np.concatenate([[0], (LEVELS[1:] + LEVELS[:-1]) / 2, [1]]))
"""The quantile function is level from halfway to one level to halfway to the next."""


def mean_of(of_levels: FloatArray) -> FloatArray:
    """Means of distributions: LEVELS by week becomes one number a week."""
    return np.asarray(_MEAN_WEIGHTS @ of_levels)


def at_levels(of_levels: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Quantiles at any levels, on lines between those at LEVELS over the normal's.

    Args:
        of_levels: LEVELS by week.
        levels: Those wanted; beyond the outermost of LEVELS the last line goes on.

    Returns:
        Level by week.
    """
    scores = np.array([NormalDist().inv_cdf(level) for level in levels])
    left = np.clip(np.searchsorted(_SCORES, scores, side="right") - 1, 0, len(LEVELS) - 2)
    place = (scores - _SCORES[left]) / (_SCORES[left + 1] - _SCORES[left])
    return np.asarray(of_levels[left] + place[:, None] * (of_levels[left + 1] - of_levels[left]))
