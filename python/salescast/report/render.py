"""The page as HTML: the template and the formats of its numbers."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from salescast.marts.reader import NAIVE, Row

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def render(page: Row) -> str:
    """Fill the template; the plotly library goes into the page."""
    return _template().render(page, plotly=Markup(get_plotlyjs()), naive=NAIVE)


# Compiling the template takes longer than filling it.
@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _format_number,
        "compact": _format_compact,
        "percent": _format_percent,
        "change": _format_change,
        "minute": _format_minute,
        "text": lambda value: DASH if value is None else value,
    }
    return environment.get_template("report.html.j2")


def _format_number(value: float | None) -> str:
    if value is None:
        return DASH
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"


def _format_compact(value: float | None) -> str:
    """Four digits or so and a unit, for a number that is read at a glance."""
    if value is None:
        return DASH
    for size, unit in ((1e9, " bn"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            scaled = value / (1e3 if unit == " k" else size)
            return f"{scaled:,.1f}{unit}"
    return _format_number(value)


def _format_percent(value: float | None) -> str:
    return DASH if value is None else f"{value:.1%}"


def _format_change(value: float | None) -> str:
    return DASH if value is None else f"{value:+.1%}".replace("-", MINUS)


def _format_minute(value: datetime | None) -> str:
    return DASH if value is None else f"{value:%Y-%m-%d %H:%M}"
