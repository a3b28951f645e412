"""Types of arrays, and days as weeks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def by_week(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Days as weeks of seven: (days, ...) to (weeks, 7, ...)."""
    return values.reshape(len(values) // 7, 7, *values.shape[1:])
