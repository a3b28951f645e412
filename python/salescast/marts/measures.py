"""The measures of accuracy as SQL on sums, each under its name in rpt_forecast_accuracy.

That report is the definition; a test holds these to it. A ratio is taken last, of sums that are
added up first, and is null where its denominator is zero or nothing was summed.
"""

from __future__ import annotations

import re


def _ratio(numerator: str, denominator: str) -> str:
    return f"cast({numerator} as double) / nullif(cast({denominator} as double), 0)"


MEASURES: dict[str, str] = {
    "wape": _ratio("sum_abs_error", "sum_abs_actual"),
    "wql_3": "2 * "
    + _ratio(
        "sum_pinball_loss_p10 + sum_pinball_loss_p50 + sum_pinball_loss_p90", "3 * sum_abs_actual"
    ),
    "wql_9": "2 * " + _ratio("sum_pinball_loss_deciles", "sum_abs_actual"),
    "rmse": f"sqrt({_ratio('sum_squared_error', 'n_rows')})",
    "mase": _ratio("sum_scaled_abs_error", "n_rows_with_scale"),
    "wmae": _ratio("sum_weighted_abs_error", "sum_week_weight"),
    "coverage": _ratio("n_inside_p10_p90", "n_with_band"),
    "bias": _ratio("sum_error", "sum_abs_actual"),
    "value_added": "1 - " + _ratio("sum_abs_error_with_naive", "sum_naive_abs_error"),
}
"""Expressions of the sums."""

_OF_FACTS = {
    "n_rows": "count(*)",
    "n_inside_p10_p90": "sum(n_inside_p10_p90)",
    "n_with_band": "count(n_inside_p10_p90)",
    "sum_error": "sum(p50 - actual)",
    "sum_abs_error_with_naive": "sum(case when naive_abs_error is not null then abs_error end)",
    "sum_scaled_abs_error": "sum(abs_error / nullif(seasonal_scale, 0))",
    "n_rows_with_scale": "count(abs_error / nullif(seasonal_scale, 0))",
}
"""The sums that are not simply the sum of the column they are named by."""


def measure_columns(*measures: str) -> str:
    """Columns of the measures, for a select from sums."""
    return ", ".join(f"{MEASURES[measure]} as {measure}" for measure in measures)


def pooled_sums(*measures: str) -> str:
    """Columns of the sums that measures need, over rows of rpt_forecast_accuracy."""
    return ", ".join(f"sum({name}) as {name}" for name in _sums(measures))


def fact_sums(*measures: str) -> str:
    """The same over rows of fct_forecast_vs_actual that have an actual."""
    return ", ".join(f"{_of_facts(name)} as {name}" for name in _sums(measures))


def _of_facts(name: str) -> str:
    return _OF_FACTS.get(name, f"sum({name.removeprefix('sum_')})")


def _sums(measures: tuple[str, ...]) -> list[str]:
    """Names of the sums in the measures' expressions, each once."""
    found = (re.findall(r"\b(?:sum|n)_\w+", MEASURES[measure]) for measure in measures)
    return list(dict.fromkeys(name for names in found for name in names))
