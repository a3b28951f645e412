"""Python and SQL hold the same list of quantiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment

from salescast.lake import LAKE_SCHEMAS
from salescast.quantiles import QUANTILE_COLUMNS, QUANTILES

MACRO = Path(__file__).parents[2] / "macros/metrics/quantile_levels.sql"


def test_the_macro_lists_the_same_columns_and_levels() -> None:
    returned: list[Any] = []
    template = Environment().from_string(MACRO.read_text(), {"return": returned.append})
    template.module.quantile_levels()  # type: ignore[attr-defined]
    (levels,) = returned
    assert tuple(column for column, _ in levels) == QUANTILE_COLUMNS
    assert [float(level) for _, level in levels] == [float(level) for level in QUANTILES]
    assert tuple(c for c in LAKE_SCHEMAS["forecasts"] if c[1:].isdigit()) == QUANTILE_COLUMNS
