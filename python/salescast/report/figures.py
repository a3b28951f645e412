"""The charts as plotly JSON: traces and layout, drawn by the browser."""

from __future__ import annotations

import html
from datetime import date, datetime, timedelta
from typing import Any

from salescast.marts.reader import HORIZON_BANDS, NAIVE, Row

Figure = dict[str, Any]
MAX_LABELLED_EVENTS = 45
INK = "#1c1f24"
MUTED = "#5c6470"
BLUE = "#1257b0"
LIGHT_BLUE = "#4a8fe0"
BAND = "rgba(18, 87, 176, 0.16)"
GREY = "#7d8590"
GRID = "#e7e9ed"
EVENT_FILL = "#f6ead0"
EVENT_INK = "#7a5a10"
OTHER_MODELS = ["#0b7a6f", "#b3541e", "#7a4fa3"]


def chain_figure(
    actual: list[Row],
    forecast: list[Row],
    backtests: dict[date, list[Row]],
    cutoff: date | None,
    events: list[Row],
) -> Figure:
    """The chain's actuals, its backtests and its newest forecast with its band."""
    number = _hover_number([row["actual"] for row in actual])
    traces = _band(forecast, number)
    traces += [
        _line(f"Backtest, cutoff {start}", weeks, "forecast", number, color=LIGHT_BLUE, width=2.4)
        for start, weeks in backtests.items()
    ]
    traces.append(_line("Actual", actual, "actual", number, color=INK, width=1.6))
    if forecast:
        naive = [row for row in forecast if row["naive_p50"] is not None]
        if naive:
            traces.append(_naive_line(naive, "naive_p50", number))
        traces.append(_line("Forecast, p50", forecast, "p50", number, color=BLUE, width=2.4))
    cutoffs = {start: f"backtest from {start}" for start in backtests}
    if forecast and cutoff:
        cutoffs[cutoff] = f"forecast from {cutoff}"
    return _weekly_figure(traces, events, cutoffs, label_events=True)


def series_figure(lines: dict[str, list[Row]], cutoff: date, events: list[Row]) -> Figure:
    """One series around the newest judged cutoff: actuals, judged and newest forecast."""
    number = _hover_number([row["actual"] for row in lines["actual"]])
    newest = lines["newest"]
    is_judged_again = bool(newest) and newest[0]["cutoff_date"] == cutoff
    judged = [] if is_judged_again else lines["judged"]
    traces = [*_band(judged, number), *_band(newest, number)]
    if judged:
        if lines["naive"]:
            traces.append(_naive_line(lines["naive"], "p50", number))
        traces.append(_line("Judged, p50", judged, "p50", number, color=LIGHT_BLUE, width=2.4))
    traces.append(_line("Actual", lines["actual"], "actual", number, color=INK, width=1.4))
    cutoffs = {cutoff: ""}
    if newest:
        if any(row["naive_p50"] is not None for row in newest):
            traces.append(_naive_line(newest, "naive_p50", number))
        traces.append(_line("Forecast, p50", newest, "p50", number, color=BLUE, width=2.2))
        cutoffs[newest[0]["cutoff_date"]] = ""
    return _weekly_figure(traces, events, cutoffs, label_events=False)


def band_figure(by_band: dict[tuple[str, str], Row], models: list[str], measure: str) -> Figure:
    """Bars of one measure by lead time, the judged model first and the naive in grey."""
    bands = [band for band in HORIZON_BANDS if any((model, band) in by_band for model in models)]
    others = iter(OTHER_MODELS)
    colors = {
        model: GREY if model == NAIVE else BLUE if model == models[0] else next(others)
        for model in models
    }
    traces = []
    for model in models:
        values = [by_band.get((model, band), {}).get(measure) for band in bands]
        traces.append(
            {
                "type": "bar",
                "name": _plotly_text(model),
                "x": [f"weeks {band}" for band in bands],
                "y": values,
                "text": ["" if value is None else f"{value:.1%}" for value in values],
                "textposition": "outside",
                "textangle": 0,
                "cliponaxis": False,
                "hovertemplate": "%{y:.1%}",
                "marker": {"color": colors[model]},
            }
        )
    layout = _layout()
    layout["margin"]["t"] = 34
    layout |= {"barmode": "group", "bargap": 0.3, "bargroupgap": 0.06, "showlegend": True}
    layout["xaxis"] |= {"type": "category"}
    layout["yaxis"] |= {"tickformat": ".0%", "rangemode": "tozero"}
    if measure == "coverage":
        layout["yaxis"]["range"] = [0, 1.08]
        layout["shapes"] = [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": 0.8,
                "y1": 0.8,
                "line": {"color": INK, "width": 1, "dash": "dot"},
            }
        ]
    return {"data": traces, "layout": layout}


def _weekly_figure(
    traces: list[Row], events: list[Row], cutoffs: dict[date, str], *, label_events: bool
) -> Figure:
    """Weekly lines over shaded event weeks, with a vertical line at each cutoff."""
    weeks = [week for trace in traces for week in trace["x"]]
    values = [value for trace in traces for value in trace["y"] if value is not None]
    first, last = date.fromisoformat(min(weeks)), date.fromisoformat(max(weeks))
    shown = [event for event in events if first <= event["week"] <= last]
    low, high = min([0.0, *values]), max([0.0, *values])
    room = (high - low or 1.0) * (0.24 if label_events and shown else 0.06)
    half_week = timedelta(days=3, hours=12)
    layout = _layout()
    layout["hovermode"] = "x unified"
    layout["xaxis"] |= {
        "type": "date",
        "range": [str(first - timedelta(days=7)), str(last + timedelta(days=7))],
        "hoverformat": "week ending %Y-%m-%d",
    }
    layout["yaxis"]["range"] = [low - (0.06 * (high - low) if low < 0 else 0), high + room]
    layout["shapes"] = [
        {
            "type": "rect",
            "layer": "below",
            "yref": "paper",
            "x0": str(datetime.combine(event["week"], datetime.min.time()) - half_week),
            "x1": str(datetime.combine(event["week"], datetime.min.time()) + half_week),
            "y0": 0,
            "y1": 1,
            "fillcolor": EVENT_FILL,
            "line": {"width": 0},
        }
        for event in shown
    ]
    layout["shapes"] += [
        {
            "type": "line",
            "yref": "paper",
            "x0": str(cutoff),
            "x1": str(cutoff),
            "y0": 0,
            "y1": 1,
            "line": {"color": MUTED, "width": 1, "dash": "dot"},
        }
        for cutoff in cutoffs
    ]
    layout["annotations"] = [
        {
            "text": label,
            "x": str(cutoff),
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "xanchor": "left" if cutoff < last - timedelta(weeks=20) else "center",
            # Labels of neighbouring cutoffs stand on two lines.
            "yshift": 13 * (position % 2),
            "showarrow": False,
            "font": {"size": 11, "color": MUTED},
        }
        for position, (cutoff, label) in enumerate(sorted(cutoffs.items()))
        if label
    ]
    if len(layout["annotations"]) > 1:
        layout["margin"]["t"] = 38
    if label_events and len(shown) <= MAX_LABELLED_EVENTS:
        layout["annotations"] += [
            {
                "text": _plotly_text(_shortened(event["name"])),
                "x": str(event["week"]),
                "y": 0.995,
                "yref": "paper",
                "yanchor": "top",
                "textangle": -90,
                "showarrow": False,
                "font": {"size": 10, "color": EVENT_INK},
            }
            for event in shown
        ]
    if shown:
        layout["yaxis2"] = {
            "overlaying": "y",
            "range": [0, 1],
            "visible": False,
            "fixedrange": True,
        }
        traces = [
            *traces,
            {
                "type": "scatter",
                "mode": "markers",
                "name": "Event",
                "yaxis": "y2",
                "x": [str(event["week"]) for event in shown],
                "y": [0.015] * len(shown),
                "text": [_plotly_text(event["name"].replace("_", " ")) for event in shown],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"symbol": "triangle-up", "size": 6, "color": EVENT_INK},
            },
        ]
    return {"data": traces, "layout": layout}


def _line(
    name: str,
    rows: list[Row],
    column: str,
    number: str,
    *,
    color: str,
    width: float,
    dash: str = "",
) -> Row:
    return {
        "type": "scatter",
        # A line of one point is invisible without a marker.
        "mode": "lines" if len(rows) > 1 else "markers",
        "name": name,
        "x": [str(row["week"]) for row in rows],
        "y": [row[column] for row in rows],
        "hovertemplate": f"%{{y:{number}}}",
        "line": {"color": color, "width": width} | ({"dash": dash} if dash else {}),
        "marker": {"color": color, "size": 6},
    }


def _naive_line(rows: list[Row], column: str, number: str) -> Row:
    return _line("Naive", rows, column, number, color=GREY, width=1.1, dash="4px,3px")


def _band(rows: list[Row], number: str) -> list[Row]:
    """The two edges of the p10 to p90 band, filled between; nothing where an edge is null."""
    known = [row for row in rows if row["p10"] is not None and row["p90"] is not None]
    if not known:
        return []
    edges = [
        _line(name, known, column, number, color=BLUE, width=0)
        for name, column in (("p10", "p10"), ("p90", "p90"))
    ]
    for edge in edges:
        edge["mode"] = "lines"
    return [edges[0], edges[1] | {"fill": "tonexty", "fillcolor": BAND}]


def _layout() -> Row:
    axis = {
        "gridcolor": GRID,
        "linecolor": GREY,
        "zerolinecolor": GREY,
        "ticks": "",
        "automargin": True,
        "fixedrange": False,
    }
    return {
        "font": {
            "family": "system-ui, -apple-system, 'Segoe UI', sans-serif",
            "size": 12,
            "color": INK,
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 52, "r": 12, "t": 22, "b": 30},
        "showlegend": False,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hoverlabel": {"bgcolor": "#ffffff", "font": {"color": INK}},
        "xaxis": dict(axis) | {"showgrid": False},
        "yaxis": dict(axis) | {"separatethousands": True},
    }


def _hover_number(values: list[float | None]) -> str:
    """Number format of a chart: whole numbers unless the values are small."""
    return (
        ",.0f"
        if max((abs(value) for value in values if value is not None), default=0) >= 100
        else ",.2f"
    )


def _plotly_text(text: str) -> str:
    """Text for plotly, which reads tags such as `<b>` in labels and `%{x}` in templates."""
    return html.escape(text, quote=False).replace("%{", "%\u200b{")


def _shortened(events: str) -> str:
    """The first event of a week and how many more there are, short enough for a label."""
    first, *more = [name.strip().replace("_", " ") for name in events.split(",")]
    label = first if len(first) <= 18 else first[:17] + "…"
    return f"{label} +{len(more)}" if more else label
