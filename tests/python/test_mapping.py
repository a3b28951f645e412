"""The mapping: what is read is what was written, and what is wrong is named."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescast.errors import UserError
from salescast.mapping import Mapping, load_mapping

MAPPINGS = Path(__file__).parents[2] / "mappings"


def small(**changes: Any) -> dict[str, Any]:
    columns = {"store": "s", "department": "d", "date": "t", "sales": "v"}
    content: dict[str, Any] = {
        "name": "small",
        "grain": "weekly",
        "week_ends_on": "friday",
        "tables": {"sales": {"file": "sales.csv", "columns": columns}},
    }
    return {**content, **changes}


def read(folder: Path, content: Any) -> Mapping:
    path = folder / "small.yml"
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return load_mapping(path, MAPPINGS)


@pytest.mark.parametrize("name", ["walmart", "retail"])
def test_shipped_mappings_load(name: str) -> None:
    assert load_mapping(name, MAPPINGS).name == name


def test_walmart_settings() -> None:
    rows = load_mapping("walmart", MAPPINGS).settings_rows()
    assert rows[:9] == [
        ("source", "", "mapping_name", "walmart"),
        ("source", "", "grain", "weekly"),
        ("source", "", "week_label", "end"),
        ("source", "", "week_ends_on", "friday"),
        ("source", "", "missing_means", "unknown"),
        ("source", "", "duplicates", "reject"),
        ("source", "", "lower_bound", "0"),
        ("source", "", "holiday_weight", "5"),
        ("source", "", "calendar_region", "US"),
    ]
    series = {name for section, name, _, _ in rows if section == "related_series"}
    assert len(series) == 10
    known = [r[1] for r in rows if r[2] == "known_future" and r[3] == "true"]
    assert known == ["is_holiday"]
    assert ("related_series", "is_holiday", "weekly_aggregation", "max") in rows
    assert ("related_series", "markdown_5", "fill", "zero") in rows
    assert ("related_series", "unemployment", "position", "10") in rows
    assert {r[3] for r in rows if r[2] == "level"} == {"store"}


def test_defaults_events_and_null_bound(tmp_path: Path) -> None:
    text = """
grain: daily
week_ends_on: sunday
lower_bound: null
holiday_weight: 2.50
calendar_events:
  - {name: birthday, dates: [2025-05-10, 2026-05-09], lead_days: 7}
tables:
  sales:
    file: sales.csv
    columns: {store: s, date: t, sales: v}
    constants: {department: all}
"""
    mapping = read(tmp_path, text)
    assert mapping.name == "small", "the name of the file is the default"
    assert mapping.tables.sales.file == ["sales.csv"]
    rows = mapping.settings_rows()
    assert ("source", "", "lower_bound", None) in rows
    assert ("source", "", "holiday_weight", "2.5") in rows
    assert rows[-2:] == [
        ("calendar_event", "birthday", "2025-05-10", "7"),
        ("calendar_event", "birthday", "2026-05-09", "7"),
    ]


@pytest.mark.parametrize(
    ("label", "last", "weekday"),
    [("end", "friday", "friday"), ("start", "friday", "saturday"), ("start", "sunday", "monday")],
)
def test_weekday_of_the_dates(tmp_path: Path, label: str, last: str, weekday: str) -> None:
    assert read(tmp_path, small(week_label=label, week_ends_on=last)).label_weekday == weekday


def test_only_landed_series_are_registered() -> None:
    mapping = load_mapping("walmart", MAPPINGS)
    rows = mapping.settings_rows({"cpi": "store", "temperature": "department"})
    positions = [(r[1], r[3]) for r in rows if r[2] == "position"]
    assert positions == [("temperature", "1"), ("cpi", "2")], "in the order of the mapping"
    assert ("related_series", "temperature", "level", "department") in rows


def test_series_all_registers_what_was_found_in_its_order() -> None:
    mapping = load_mapping("retail", MAPPINGS)
    rows = mapping.settings_rows({"price": "department", "Rain mm": "store"})
    assert [(r[1], r[3]) for r in rows if r[2] == "position"] == [("price", "1"), ("Rain mm", "2")]
    assert {r[3] for r in rows if r[2] == "known_future"} == {"false"}
    assert not [r for r in mapping.settings_rows() if r[0] == "related_series"]


def sales(**changes: Any) -> dict[str, Any]:
    table = small()["tables"]["sales"]
    return small(tables={"sales": {**table, **changes}})


def related(series: Any, **columns: str) -> dict[str, Any]:
    content = small()
    columns = {"store": "s", "date": "t", **columns}
    content["tables"]["related"] = {"file": "r.csv", "columns": columns, "series": series}
    return content


COLUMNS = small()["tables"]["sales"]["columns"]
WRONG: list[tuple[Any, list[str]]] = [
    (small(grian="daily"), ["unknown key 'grian'", "did you mean 'grain'", "small.yml: grian"]),
    (small(grain="monthly"), ["'monthly'", "small.yml: grain"]),
    ({**small(), "week_ends_on": "Fri"}, ["'Fri'", "'monday'"]),
    ({k: v for k, v in small().items() if k != "grain"}, ["'grain' is missing"]),
    (small(tables={}), ["'sales' is missing", "tables.sales"]),
    (small(tables={"sale": {}, **small()["tables"]}), ["unknown key 'sale'", "'sales'"]),
    (small(null_texts=[None]), ["null_texts.0", "quotes"]),
    (small(decimal_sign=";"), ["decimal_sign"]),
    (small(date_format="%Y-%m"), ["date_format", "year, month or day"]),
    (small(date_format="%Q"), ["date_format", "%Q"]),
    (small(holiday_weight=0), ["holiday_weight"]),
    (small(lower_bound=True), ["lower_bound"]),
    (small(lower_bound=float("nan")), ["lower_bound"]),
    (small(name="my data"), ["name"]),
    (
        small(tables={"series_changes": {"colums": {}}, **small()["tables"]}),
        ["unknown key 'colums'", "did you mean 'columns'", "series_changes.colums"],
    ),
    (sales(colums={}), ["unknown key 'colums'", "did you mean 'columns'", "tables.sales.colums"]),
    (sales(columns={**COLUMNS, "stor": "x"}), ["'stor'", "did you mean 'store'", "tables.sales"]),
    (sales(columns={"store": "s", "date": "t", "sales": "v"}), ["constants.department: all"]),
    (sales(columns={**COLUMNS, "date": 7}), ["tables.sales.columns.date", "quotes"]),
    (sales(columns={**COLUMNS, "sales": "d"}), ["'d'", "department and sales"]),
    (sales(constants={"department": "all"}), ["'department'", "columns and in constants"]),
    (sales(optional=["sales"]), ["'sales'", "cannot be optional"]),
    (sales(optional=["is_holiday"]), ["'is_holiday'", "columns does not have"]),
    (sales(file="../sales.csv"), ["../sales.csv", "inside the folder"]),
    (sales(file=[]), ["tables.sales.file"]),
    (related({"a": {"known_futur": True}}), ["'known_futur'", "'known_future'", "series.a"]),
    (related({"a": {"known_future": "yes"}}), ["series.a.known_future"]),
    (related({"a": {"fill": "ffill"}}), ["series.a.fill", "'ffill'"]),
    (related({"a": {"column": "x"}, "x": None}), ["'x'", "series.a and series.x"]),
    (related("every"), ["give 'all'"]),
    (related({"two words": {}}), ["two words"]),
    (small(calendar_events=[{"name": "e", "dates": []}]), ["calendar_events.0.dates"]),
    (small(calendar_events=[{"name": "e", "dates": [20250101]}]), ["20250101"]),
    (
        small(calendar_events=[{"name": "e", "dates": ["2025-01-01"] * 2}]),
        ["'e' is given twice for 2025-01-01"],
    ),
    ("grain: daily\ngrain: weekly\n", ["'grain' is given twice", "line 2"]),
    ("grain: [", ["not valid YAML"]),
    ("- a\n", ["not a list of keys"]),
    ("", ["not a list of keys"]),
]


@pytest.mark.parametrize(("content", "fragments"), WRONG, ids=lambda v: str(v)[:40])
def test_wrong_mappings_are_told(tmp_path: Path, content: Any, fragments: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert "small.yml" in message
    for fragment in fragments:
        assert fragment in message, message


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, small(grain="monthly", week_label="middle"))
    assert "2 problems" in str(caught.value)
    assert "grain" in str(caught.value)
    assert "week_label" in str(caught.value)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"(?s)did you mean 'walmart'.*retail"):
        load_mapping("wallmart", MAPPINGS)
    with pytest.raises(UserError, match="no mapping"):
        load_mapping("nowhere/own.yml", MAPPINGS)


def related_series(**spec: Any) -> list[tuple[str, str, str, str | None]]:
    """The settings of a mapping with one related series."""
    content = small()
    columns = {"store": "store", "date": "date"}
    content["tables"]["related"] = {"file": "r.csv", "columns": columns, "series": {"open": spec}}
    return [
        row for row in Mapping.model_validate(content).settings_rows() if row[0] == "related_series"
    ]


def test_what_is_said_of_exposure_is_landed() -> None:
    for word in (True, False):
        spec = {"known_future": True, "weekly_aggregation": "sum", "exposure": word}
        assert ("related_series", "open", "exposure", str(word).lower()) in related_series(**spec)
    assert not [row for row in related_series(known_future=True) if row[2] == "exposure"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "has to be known ahead"),
        ({"known_future": True, "weekly_aggregation": "max"}, "is sum or mean"),
    ],
)
def test_an_exposure_that_cannot_be_one_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        related_series(exposure=True, **spec)


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
name = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
number = st.decimals(0, 1000, places=3)
series = st.fixed_dictionaries(
    {},
    optional={
        "known_future": st.booleans(),
        "weekly_aggregation": st.sampled_from(["sum", "mean", "min", "max", "last"]),
        "fill": st.sampled_from(["none", "forward", "zero"]),
        "exposure": st.just(False) | st.none(),
    },
)
event = st.fixed_dictionaries(
    {"name": name, "dates": st.lists(st.dates(), min_size=1, max_size=3, unique=True)},
    optional={"lead_days": st.integers(0, 366)},
)


@st.composite
def mappings(draw: st.DrawFn) -> dict[str, Any]:
    titles = draw(st.lists(text, min_size=10, max_size=10, unique=True))
    listed = draw(st.dictionaries(name, series, max_size=4))
    return {
        "name": draw(name),
        "description": draw(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)),
        "grain": draw(st.sampled_from(["daily", "weekly"])),
        "week_label": draw(st.sampled_from(["start", "end"])),
        "week_ends_on": draw(st.sampled_from(["monday", "friday", "sunday"])),
        "lower_bound": draw(st.none() | number.map(float)),
        "holiday_weight": float(draw(st.decimals("0.5", 9, places=2))),
        "null_texts": draw(st.lists(text, max_size=3)),
        "date_format": draw(st.sampled_from(["%Y-%m-%d", "%d.%m.%y", "%Y%m%d"])),
        "calendar_events": draw(st.lists(event, max_size=2, unique_by=lambda e: e["name"])),
        "tables": {
            "sales": {
                "file": draw(st.sampled_from(["sales*.csv", ["a/*.csv", "b.parquet"]])),
                "columns": dict(zip(COLUMNS, titles, strict=False)),
            },
            "related": {
                "file": "related.csv",
                "columns": {"store": titles[0], "date": titles[1]},
                "series": draw(
                    st.just("all")
                    | st.just(
                        {
                            key: {**spec, "column": title}
                            for (key, spec), title in zip(listed.items(), titles[2:], strict=False)
                        }
                    )
                ),
            },
        },
    }


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=mappings())
def test_round_trip(tmp_path: Path, content: dict[str, Any]) -> None:
    mapping = read(tmp_path, content)
    again = read(tmp_path, mapping.model_dump(mode="json"))
    assert again.model_dump() == mapping.model_dump()
    assert again.settings_rows() == mapping.settings_rows()
    assert mapping.name == content["name"]
    assert mapping.null_texts == content["null_texts"]
    bound = content["lower_bound"]
    assert mapping.lower_bound == (None if bound is None else Decimal(str(bound)))
    given_dates = {
        (e["name"], d.isoformat()) for e in content["calendar_events"] for d in e["dates"]
    }
    assert given_dates == {r[1:3] for r in mapping.settings_rows() if r[0] == "calendar_event"}
    series_given = content["tables"]["related"]["series"]
    if series_given != "all":
        positions = [r[1] for r in mapping.settings_rows() if r[2] == "position"]
        assert positions == list(series_given)
    assert all(isinstance(d, date) for e in mapping.calendar_events for d in e.dates)
