"""The quantiles that every forecast holds; `quantile_levels` in macros/ is the same list in SQL."""

from __future__ import annotations

QUANTILES = ("0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95")
"""Levels, as the texts DeepAR takes and answers."""

QUANTILE_COLUMNS = tuple(f"p{round(float(level) * 100):02d}" for level in QUANTILES)
"""Their columns in the lake and the marts, in the same order."""
