"""The scale of a series that has no observation in its context.

A context with an observation is scaled by its mean absolute value, as GluonTS does. Without one
the series' own last observations tell its size, whatever their age; a series that was never
observed is as large as those of its categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from salescast.container.records import FloatArray, Record

N_ROUNDS = 50
"""Rounds of fitting factors; crossed categories settle in far fewer."""


def last_scale(target: npt.NDArray[np.floating[Any]], n_points: int) -> float | None:
    """Mean absolute value of the last n_points observations; None if there is none.

    Args:
        target: One value a step, NaN where missing.
        n_points: Observations to look at, the context's length.
    """
    observed = target[~np.isnan(target)][-n_points:]
    return float(np.abs(observed, dtype=np.float64).mean()) if observed.size else None


@dataclass(frozen=True)
class CategoryScales:
    """How large a series of given categories is.

    Attributes:
        overall: Mean absolute value of all training targets.
        factors: For each position of cat, what each code multiplies it by; empty without cat, and
            in models of before it was kept.
    """

    overall: float
    factors: tuple[tuple[float, ...], ...] = ()

    def of(self, cat: Sequence[int]) -> float:
        """The scale of a series of these codes."""
        scale = self.overall
        for position, codes in enumerate(self.factors):
            scale *= codes[cat[position]]
        return scale


def fit_category_scales(
    records: Sequence[Record], cardinality: Sequence[int], n_points: int
) -> CategoryScales:
    """Fit a factor for each code, so that the scales of its series add up to those observed.

    With one position a code's scale is the mean of its series. With several, crossed or nested,
    each factor tells what the others have not.

    Args:
        records: Series to train on, each with an observation.
        cardinality: Number of codes at each position of cat.
        n_points: Observations that make a series' scale, the context's length.
    """
    overall = float(np.nanmean(np.concatenate([np.abs(record.target) for record in records])))
    scales = np.array([last_scale(record.target, n_points) or 0.0 for record in records])
    codes = [
        np.array([record.cat[position] for record in records])
        for position in range(len(cardinality))
    ]
    factors = [np.ones(size) for size in cardinality]
    for _ in range(N_ROUNDS):
        for position, size in enumerate(cardinality):
            others = np.full(len(records), overall)
            for other in range(len(cardinality)):
                if other != position:
                    others = others * factors[other][codes[other]]
            expected = np.bincount(codes[position], weights=others, minlength=size)
            total = np.bincount(codes[position], weights=scales, minlength=size)
            factors[position] = np.divide(total, expected, out=np.ones(size), where=expected > 0)
    return CategoryScales(overall, tuple(tuple(values.tolist()) for values in factors))


def cold_scales(records: Sequence[Record], n_points: int, categories: CategoryScales) -> FloatArray:
    """The scale of each record for a context without an observation."""
    own = (last_scale(record.target, n_points) for record in records)
    return np.array(
        [
            categories.of(record.cat) if scale is None else scale
            for record, scale in zip(records, own, strict=True)
        ]
    )
