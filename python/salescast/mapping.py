"""The mapping: a YAML that describes one data source, so that nobody renames data."""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Mapping as MappingType
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Literal, Self

import duckdb
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    StrictInt,
    ValidationError,
    field_validator,
    model_validator,
)

from salescast.errors import UserError
from salescast.expressions import Expression, Kind, parse_expression

_ENCODINGS = (
    *("utf-8", "utf-16", "windows-1252", "windows-1250", "windows-1251", "latin-1", "iso-8859-15"),
    *("cp850", "cp437", "mac-roman", "shift_jis", "gbk", "big5"),
)
_NO_FILE_ENCODINGS = {
    *("idna", "punycode", "unicode-escape", "unicode_escape", "raw-unicode-escape"),
    *("raw_unicode_escape", "undefined", "mbcs", "oem"),
}
# Far above what a person writes: a mapping of a hundred related series has 1,000 values.
_MAX_BYTES, _MAX_NODES, _MAX_DEPTH = 1_000_000, 100_000, 20
EXCEL_DATES = "excel"
# Day numbers of Excel from 1990 on; the part after the sign is the time of day.
EXCEL_NUMBER = r"^[3-7][0-9]{4}([.,][0-9]+)?$"
AS_WRITTEN = "as_written"
# What a date format may have in plain letters behind the time of day.
_FIXED_OFFSET = (
    r"(?:[Zz]|(?:UTC|GMT)(?![+-])|(?:UTC|GMT)?([+-])([0-9]{2})(?::?([0-9]{2}))?)(?![A-Za-z0-9])"
)
_FIXED_ZONE = r"([A-Z]{1,4}T|MSK|[A-Z][A-Za-z]+/[A-Za-z_/]+)(?![A-Za-z0-9])"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NULL_TEXTS = ("", "NA", "NULL", "null", "NaN", "nan")

# Keys for all tables that decide how a file is read.
_READING = ("null_texts", "decimal_sign", "thousands_sign", "date_format", "timezone")
_NOT_COMPUTED = ("date", "opened_on", "closed_on")
_COMPUTED_KINDS: dict[str, Kind] = {
    "sales": "number",
    "size": "number",
    "is_holiday": "condition",
    "is_stocked_out": "condition",
}

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Level = Literal["store", "department"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
NonEmpty = Annotated[str, Field(min_length=1)]
SettingsRow = tuple[str, str, str, str | None]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_date(value: Any) -> Any:
    if isinstance(value, str) or type(value) is date:
        return value
    raise ValueError(f"{value!r} is not a date like 2026-11-27")


class Unpivot(_Strict):
    """How a wide file, one column a week or day, becomes rows.

    The date of a column comes from its name: by `date_format`, or by its number, which is counted
    on in weeks or days (the grain) from `first_column`, whose date is `first_date`.
    """

    columns: Annotated[list[NonEmpty], BeforeValidator(_as_list), Field(min_length=1)]
    date_format: Annotated[list[NonEmpty], BeforeValidator(_as_list)] = []
    first_column: NonEmpty | None = None
    first_date: Annotated[date, BeforeValidator(_as_date)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        numbered = self.first_column is not None and self.first_date is not None
        half = self.first_column is not None or self.first_date is not None
        if (half and (self.date_format or not numbered)) or not (half or self.date_format):
            raise ValueError(
                "say how a column's name gives its date: date_format: '%d.%m.%Y', or, where it "
                "has a number, first_column: W0 and first_date: 2026-01-03"
            )
        if self.first_column is not None and not re.search(r"\d", self.first_column):
            raise ValueError(f"first_column {self.first_column!r} has no number")
        _check_date_formats(self.date_format)
        return self


class RelatedSeries(_Strict):
    """One related series: where it stands and how a week is made of it."""

    column: NonEmpty | None = None
    known_future: StrictBool = False
    weekly_aggregation: Literal["sum", "mean", "min", "max", "last"] = "mean"
    fill: Literal["none", "forward", "zero"] = "none"
    exposure: StrictBool | None = None

    @model_validator(mode="after")
    def _exposure_is_known_ahead(self) -> RelatedSeries:
        if self.exposure and not self.known_future:
            raise ValueError("an exposure has to be known ahead: known_future: true")
        if self.exposure and self.weekly_aggregation not in ("sum", "mean"):
            raise ValueError("the weekly_aggregation of an exposure is sum or mean")
        return self


class TableMapping(_Strict):
    """Files of one table and the columns that they hold.

    `optional` names columns that a file may lack; they land empty then. `encoding` is how the bytes
    of a text file are read, `skip_lines` how many lines stand before its header. `compute` gives
    columns as expressions on columns of the file, and rows for which a condition of `keep` is false
    are left out.
    """

    allowed: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[tuple[str, ...]] = ()
    constant: ClassVar[tuple[str, ...]] = ()

    file: Annotated[list[NonEmpty], BeforeValidator(_as_list), Field(min_length=1)]
    columns: dict[str, NonEmpty]
    constants: dict[str, NonEmpty] = {}
    optional: list[str] = []
    compute: dict[str, NonEmpty] = {}
    keep: Annotated[list[NonEmpty], BeforeValidator(_as_list)] = []
    encoding: NonEmpty = "utf-8"
    skip_lines: Annotated[StrictInt, Field(ge=0, le=1000)] = 0

    _computed: dict[str, Expression] = PrivateAttr(default_factory=dict)
    _kept: tuple[Expression, ...] = PrivateAttr(default=())

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        try:
            found = codecs.lookup(name)
        except LookupError:
            raise ValueError(
                f"{name!r} is no encoding{_closest(name, _ENCODINGS)}; give utf-8, utf-16, "
                "windows-1252 or another one that Python knows"
            ) from None
        if not getattr(found, "_is_text_encoding", True) or found.name in _NO_FILE_ENCODINGS:
            raise ValueError(f"{name!r} is no encoding of files")
        return name

    @field_validator("file")
    @classmethod
    def _stay_in_folder(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            path = PurePosixPath(pattern)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError(f"{pattern!r} is not a pattern inside the folder that is ingested")
        return patterns

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        given: dict[str, str] = {}
        for key in ("columns", "constants", "compute"):
            for name in getattr(self, key):
                if name not in self.allowed:
                    raise ValueError(
                        f"{key} has {name!r}, which is no column of this table"
                        f"{_closest(name, self.allowed)}; known: {', '.join(self.allowed)}"
                    )
                if name in given:
                    raise ValueError(f"{name!r} is given in {given[name]} and in {key}; keep one")
                given[name] = key
        for name in self.constants:
            if name not in self.constant:
                raise ValueError(f"{name!r} cannot be a constant")
        for name in self.compute:
            if name in _NOT_COMPUTED:
                raise ValueError(f"{name!r} cannot be computed; give it in columns")
        for name in self.from_unpivot():
            if name in given:
                raise ValueError(
                    f"{name!r} comes from unpivot, which makes it of the columns; take it away "
                    f"from {given[name]}"
                )
        for name in self.required:
            if name in self.from_unpivot():
                continue
            if name not in given:
                hint = f", or constants.{name}: all" if name in self.constant else ""
                raise ValueError(f"{name!r} is needed: add columns.{name}{hint}")
        for name in self.optional:
            if name not in self.columns:
                raise ValueError(f"optional has {name!r}, which columns does not have")
            if name in self.required:
                raise ValueError(f"{name!r} is needed and cannot be optional")
        # A line may be named by columns that are also read as something else.
        titles = self.source_columns().items()
        _refuse_repeated({k: title for k, title in titles if not k.startswith("line_id.")})
        self._computed = {
            name: parse_expression(text, _COMPUTED_KINDS.get(name, "text"))
            for name, text in self.compute.items()
        }
        self._kept = tuple(parse_expression(text, "condition") for text in self.keep)
        return self

    @property
    def computed(self) -> dict[str, Expression]:
        """The expressions of `compute` by the column that they give."""
        return self._computed

    @property
    def kept(self) -> tuple[Expression, ...]:
        """The conditions that a row has to meet to be landed."""
        return self._kept

    def expressions(self) -> list[tuple[str, Expression]]:
        """All expressions with the key that has each."""
        computed = [(f"compute.{name}", each) for name, each in self._computed.items()]
        return [*computed, *(("keep", each) for each in self._kept)]

    def source_columns(self) -> dict[str, str]:
        """Columns of the file by the name they get."""
        return dict(self.columns)

    def named_columns(self) -> list[str]:
        """Every column of the file that the table names, in columns or in an expression."""
        named = [*self.source_columns().values()]
        return named + [title for _, each in self.expressions() for title in each.columns()]

    def from_unpivot(self) -> tuple[str, ...]:
        """Names that the unpivoted columns of a wide file give."""
        return ()


class SalesTable(TableMapping):
    """Where sales come from.

    `line_id` lists the columns that together name a line of a till or shop.
    """

    allowed = ("store", "department", "date", "sales", "is_holiday", "is_stocked_out")
    required = ("store", "department", "date", "sales")
    constant = ("store", "department")

    line_id: Annotated[list[NonEmpty], BeforeValidator(_as_list)] = []

    @field_validator("line_id")
    @classmethod
    def _each_once(cls, titles: list[str]) -> list[str]:
        if len(set(titles)) < len(titles):
            raise ValueError("a column is given twice")
        return titles

    def source_columns(self) -> dict[str, str]:
        """Columns of the file by the name they get, those of the line's id included."""
        own = {f"line_id.{title}": title for title in self.line_id}
        return {**self.columns, **own}

    unpivot: Unpivot | None = None

    def from_unpivot(self) -> tuple[str, ...]:
        """Names that the unpivoted columns of a wide file give."""
        return ("date", "sales") if self.unpivot else ()


class RelatedTable(TableMapping):
    """Where related series come from; `series: all` takes every other numeric column."""

    allowed = ("store", "department", "date")
    required = ("store", "date")
    constant = ("store", "department")

    unpivot: Unpivot | None = None
    grain: Literal["daily", "weekly"] | None = None
    series: Literal["all"] | dict[Name, RelatedSeries]

    @field_validator("series", mode="before")
    @classmethod
    def _bare_names(cls, value: Any) -> Any:
        if not isinstance(value, dict) and value != "all":
            raise ValueError("give 'all' or one entry a series")
        if isinstance(value, dict):
            return {name: {} if spec is None else spec for name, spec in value.items()}
        return value

    def source_columns(self) -> dict[str, str]:
        """Columns of the file by the name they get, listed series included."""
        if isinstance(self.series, str) or self.unpivot:
            return dict(self.columns)
        series = {f"series.{name}": spec.column or name for name, spec in self.series.items()}
        return {**self.columns, **series}

    def from_unpivot(self) -> tuple[str, ...]:
        """Names that the unpivoted columns of a wide file give."""
        return ("date",) if self.unpivot else ()

    @model_validator(mode="after")
    def _one_series(self) -> Self:
        if self.unpivot and (
            isinstance(self.series, str)
            or len(self.series) != 1
            or any(spec.column for spec in self.series.values())
        ):
            raise ValueError(
                "with unpivot the columns hold one series: list that one, without a column, as in "
                "series: {price: {}}"
            )
        return self


class StoresTable(TableMapping):
    """Where the attributes of stores come from."""

    allowed = ("store", "type", "size", "region", "opened_on", "closed_on")
    required = ("store",)
    constant = ("type", "region")


class DepartmentsTable(TableMapping):
    """Where the attributes of departments come from."""

    allowed = ("department", "name", "category")
    required = ("department",)
    constant = ("category",)


class SeriesChangesTable(TableMapping):
    """Where it stands what became of stores and departments: renamed, closed, still sold."""

    allowed = ("store", "department", "renamed_from", "closed_on", "still_sold")

    @model_validator(mode="after")
    def _check_use(self) -> Self:
        for names in (("store", "department"), ("renamed_from", "closed_on", "still_sold")):
            if not set(names) & set(self.columns):
                raise ValueError(f"one of {', '.join(names)} is needed: add it to columns")
        return self


class Tables(_Strict):
    """The tables of a source; only sales is required."""

    sales: SalesTable
    related: RelatedTable | None = None
    stores: StoresTable | None = None
    departments: DepartmentsTable | None = None
    series_changes: SeriesChangesTable | None = None

    def present(self) -> dict[str, TableMapping]:
        """The tables that the mapping describes, by name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: table for name, table in found.items() if table is not None}


class CalendarEvent(_Strict):
    """An event of the source's own, at one or more dates."""

    name: Name
    dates: Annotated[list[Annotated[date, BeforeValidator(_as_date)]], Field(min_length=1)]
    lead_days: Annotated[StrictInt, Field(ge=0, le=366)] = 0


class Mapping(_Strict):
    """What one data source looks like and how its weeks are made."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=60)]
    description: str = ""
    grain: Literal["daily", "weekly"]
    week_label: Literal["start", "end"] = "end"
    week_ends_on: Weekday
    missing_means: Literal["unknown", "zero"] = "unknown"
    duplicates: Literal["reject", "sum"] = "reject"
    deliveries: Literal["restates", "adds"] = "restates"
    lower_bound: Decimal | None = Decimal(0)
    holiday_weight: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    calendar_region: Annotated[list[NonEmpty], BeforeValidator(_as_list)] = ["US"]
    fiscal_year_starts_in: Annotated[StrictInt, Field(ge=1, le=12)] = 1
    holiday_events: Annotated[list[Name], BeforeValidator(_as_list)] = []
    null_texts: list[str] = list(NULL_TEXTS)
    decimal_sign: Literal[".", ","] = "."
    thousands_sign: Literal[".", ",", " ", "'"] | None = None
    date_format: Annotated[list[NonEmpty], BeforeValidator(_as_list), Field(min_length=1)] = [
        "%Y-%m-%d"
    ]
    timezone: NonEmpty = AS_WRITTEN
    calendar_events: list[CalendarEvent] = []
    tables: Tables

    _path: Path | None = PrivateAttr(default=None)

    @property
    def path(self) -> str:
        """File that the mapping was read from, for messages."""
        return str(self._path) if self._path else f"mapping {self.name}"

    @property
    def label_weekday(self) -> str:
        """Weekday that the dates of a weekly source must have."""
        last = WEEKDAYS.index(self.week_ends_on)
        return WEEKDAYS[last if self.week_label == "end" else (last + 1) % 7]

    @model_validator(mode="before")
    @classmethod
    def _lines_are_added(cls, content: Any) -> Any:
        """Where lines have ids, repeated keys are summed and new lines are added."""
        tables = content.get("tables") if isinstance(content, dict) else None
        sales = tables.get("sales") if isinstance(tables, dict) else None
        if not isinstance(sales, dict) or not sales.get("line_id"):
            return content
        return {"duplicates": "sum", "deliveries": "adds", **content}

    @model_validator(mode="after")
    def _lines_are_summed(self) -> Self:
        if self.tables.sales.line_id and self.duplicates == "reject":
            raise ValueError(
                "tables.sales.line_id names lines, of which a store sells many a day; "
                "it needs duplicates: sum"
            )
        return self

    def reading(self, table: str) -> dict[str, Any]:
        """What decides what the rows of a file become, without keys that are at their default."""
        landed = {"file", "optional"} | ({"series", "grain"} if table == "related" else set())
        own = self.tables.present()[table]
        found = own.model_dump(mode="json", exclude=landed, exclude_defaults=True)
        if isinstance(own, RelatedTable):
            series = own.series
            found["series"] = (
                series if isinstance(series, str) else {n: s.column for n, s in series.items()}
            )
        keys = set(_READING)
        if table == "sales":
            # What a file does to earlier ones goes with its rows, as what it holds does.
            keys.add("deliveries")
        unpivot = getattr(own, "unpivot", None)
        if any(map(names_week_only, self.date_format)) or unpivot:
            # They say which day a week is, and how far the next column is.
            keys |= {"grain", "week_label"}
        everywhere = self.model_dump(mode="json", include=keys, exclude_defaults=True)
        return {**everywhere, "table": found}

    @field_validator("lower_bound", "holiday_weight", mode="before")
    @classmethod
    def _only_numbers(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("give a number")
        return value

    @field_validator("date_format")
    @classmethod
    def _readable_dates(cls, formats: list[str]) -> list[str]:
        _check_date_formats(formats)
        return formats

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name == AS_WRITTEN or name in (zones := _time_zones()):
            return name
        raise ValueError(
            f"{name!r} is no time zone{_closest(name, [AS_WRITTEN, *zones])}; give {AS_WRITTEN} "
            "or a name like Europe/Berlin"
        )

    @model_validator(mode="after")
    def _check_signs(self) -> Self:
        if self.thousands_sign == self.decimal_sign:
            other = "," if self.decimal_sign == "." else "."
            raise ValueError(
                f"thousands_sign and decimal_sign are both {self.decimal_sign!r}; set "
                f"decimal_sign: {other!r} or another thousands_sign"
            )
        return self

    @model_validator(mode="after")
    def _check_dates(self) -> Self:
        wide = [self.tables.sales, self.tables.related]
        formats = [
            f for table in wide if table and table.unpivot for f in table.unpivot.date_format
        ]
        for text in [*self.date_format, *formats]:
            if self.timezone != AS_WRITTEN and (zone := _zone_name(text)):
                raise ValueError(
                    f"date_format {text!r} has the name of a zone ({zone}), and such names mean "
                    "more than one: BST is British and Bangladeshi; with timezone: "
                    f"{self.timezone} only moments with an offset can be read, by %z (+0100, "
                    f"-05:00, Z, UTC); timezone: {AS_WRITTEN} counts the day that stands there"
                )
            if not names_week_only(text):
                continue
            if self.grain == "daily":
                raise ValueError(
                    f"date_format {text!r} names a week and no day, but the mapping says grain: "
                    "daily; set grain: weekly, or add %u where the day of the week is given"
                )
            if self.week_ends_on != "sunday":
                raise ValueError(
                    f"date_format {text!r} names ISO weeks, which end on sunday, but week_ends_on "
                    f"is {self.week_ends_on}; set week_ends_on: sunday"
                )
        return self

    @field_validator("calendar_region", "holiday_events")
    @classmethod
    def _names_once(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("a name is given twice")
        return names

    @field_validator("calendar_events")
    @classmethod
    def _events_once(cls, events: list[CalendarEvent]) -> list[CalendarEvent]:
        seen: set[tuple[str, date]] = set()
        for event in events:
            for day in event.dates:
                if (event.name, day) in seen:
                    raise ValueError(f"event {event.name!r} is given twice for {day}")
                seen.add((event.name, day))
        return events

    def settings_rows(self, found: MappingType[str, Level] | None = None) -> list[SettingsRow]:
        """Rows (section, name, attribute, value) that models read as the settings of the source.

        Args:
            found: Level of each related series that is in the landing, in the order wanted for
                series that the mapping does not list. Without it the listed series are taken as
                landed. A listed series that is not in the landing is not registered.
        """
        source: dict[str, str | None] = {
            "mapping_name": self.name,
            "grain": self.grain,
            "week_label": self.week_label,
            "week_ends_on": self.week_ends_on,
            "missing_means": self.missing_means,
            "duplicates": self.duplicates,
            "lower_bound": None if self.lower_bound is None else _plain(self.lower_bound),
            "holiday_weight": _plain(self.holiday_weight),
            "calendar_region": ", ".join(self.calendar_region),
            "fiscal_year_starts_in": str(self.fiscal_year_starts_in),
        }
        rows: list[SettingsRow] = [("source", "", key, value) for key, value in source.items()]
        for position, (name, level, spec) in enumerate(self._registered(found), start=1):
            attributes = {
                "known_future": str(spec.known_future).lower(),
                "weekly_aggregation": spec.weekly_aggregation,
                "fill": spec.fill,
                "level": level,
                "position": str(position),
            }
            if spec.exposure is not None:
                attributes["exposure"] = str(spec.exposure).lower()
            if self.tables.related and self.tables.related.grain:
                attributes["grain"] = self.tables.related.grain
            rows += [("related_series", name, key, value) for key, value in attributes.items()]
        rows += [
            ("holiday_event", name, "makes_holiday_week", "true") for name in self.holiday_events
        ]
        for event in self.calendar_events:
            for day in event.dates:
                row = ("calendar_event", event.name, day.isoformat(), str(event.lead_days))
                rows.append(row)
        return rows

    def _registered(
        self, found: MappingType[str, Level] | None
    ) -> list[tuple[str, Level, RelatedSeries]]:
        related = self.tables.related
        if related is None:
            return []
        if isinstance(related.series, str):
            return [(name, level, RelatedSeries()) for name, level in (found or {}).items()]
        given = {*related.columns, *related.constants}
        mapped: Level = "department" if "department" in given else "store"
        if found is None:
            return [(name, mapped, spec) for name, spec in related.series.items()]
        return [(name, found[name], spec) for name, spec in related.series.items() if name in found]


def names_week_only(date_format: str) -> bool:
    """Whether a date format gives an ISO week and no day of it."""
    return "%G" in date_format and not re.search("%[uwaA]", date_format)


def without_offset(date_format: str) -> str:
    """A date format without the offset from UTC or the zone."""
    return re.sub(r"\s*%[zZ]", "", date_format)


def fixed_offset(date_format: str) -> int | None:
    """Minutes ahead of UTC that a date format says in plain letters, as Z or +01:00; else None.

    A format with %z or %Z has them in the text instead.
    """
    found = _written_after_time(date_format, _FIXED_OFFSET)
    if found is None:
        return None
    sign, hours, minutes = found[1], int(found[2] or 0), int(found[3] or 0)
    return (60 * hours + minutes) * (-1 if sign == "-" else 1)


def _zone_name(date_format: str) -> str | None:
    """The name of a zone that a date format reads or says in plain letters, as %Z or EST."""
    if "%Z" in date_format:
        return "%Z"
    found = _written_after_time(date_format, _FIXED_ZONE)
    return found[1] if found and fixed_offset(date_format) is None else None


def _written_after_time(date_format: str, pattern: str) -> re.Match[str] | None:
    """Where a pattern stands behind the time of day in a date format."""
    if without_offset(date_format) != date_format:
        return None
    # A sign for a part of the time, another for any other part.
    plain = re.sub("%-?[cfgHIMnpSTX]", "\x02", date_format.replace("%%", "\x01"))
    plain = re.sub("%-?[A-Za-z]", "\x01", plain)
    return re.search(rf"(?:\x02|:[0-9]{{2}})(?:[.,][0-9]+)?[\s(\[]*{pattern}", plain)


def _check_date_formats(formats: list[str]) -> None:
    for text in formats:
        if problem := _date_format_problem(text):
            raise ValueError(problem)
    for number, text in enumerate(formats):
        if text in formats[:number]:
            raise ValueError(f"date_format has {text!r} twice")
        for other in formats[:number]:
            if clash := formats_clash(text, other):
                raise ValueError(
                    f"date_format has {other!r} and {text!r}, which read {clash!r} differently; "
                    "keep the one that the files use"
                )


def formats_clash(one: str, other: str) -> str | None:
    """A date as text that two date formats read as different days; None where there is none."""
    return _clash(one, other) or _clash(other, one)


@cache
def _date_format_problem(text: str) -> str | None:
    """What is wrong with a date format, judged by the engine that will parse with it."""
    if text == EXCEL_DATES:
        return None
    if re.search("%[UW]", text):
        return f"{text!r}: of week numbers only ISO weeks can be read; write '%G-W%V'"
    plain = without_offset(text)
    query = "select try_strptime(strftime(date '2011-12-26', $f), $f) = date '2011-12-26'"
    with duckdb.connect() as con:
        try:
            row = con.execute(query, {"f": plain}).fetchone()
        except duckdb.Error as error:
            return f"{text!r} is not a date format: {error}"
        # Only a format of weeks reads another day of the same week as its Monday.
        week = con.execute(query.replace("26", "28"), {"f": plain}).fetchone()
    good = row and row[0] and ((week and week[0]) or names_week_only(text))
    return None if good else f"{text!r} lacks year, month or day; '%d/%m/%Y' has them"


@cache
def _clash(text: str, other: str) -> str | None:
    """A date as the first format writes it that the second one reads as another day."""
    if text == EXCEL_DATES:
        written = "select (d - date '1899-12-30')::varchar"
    else:
        written = "select strftime(d, $text)"
    if other == EXCEL_DATES:
        read = f"case when regexp_matches(w, '{EXCEL_NUMBER}') then date '1899-12-30' + w::int end"
    else:
        read = "try_strptime(w, $other)::date"
    query = (
        f"select w from (select d, ({written}) as w from (values (date '2011-12-26'),"
        " (date '2005-04-03'), (date '2011-12-10'), (date '2024-02-01'), (date '2010-11-12')) t(d))"
        f" where ({read}) <> d and year({read}) between 1900 and 2199"
    )
    both = {"text": without_offset(text), "other": without_offset(other)}
    used = {name: value for name, value in both.items() if f"${name}" in query}
    with duckdb.connect() as con:
        row = con.execute(query, used).fetchone()
    return str(row[0]) if row else None


@cache
def _time_zones() -> tuple[str, ...]:
    """Names of the time zones that the engine knows."""
    with duckdb.connect() as con:
        return tuple(
            row[0] for row in con.execute("select name from pg_timezone_names()").fetchall()
        )


def load_mapping(name_or_path: str | Path, mappings_dir: Path) -> Mapping:
    """Read a mapping by its name in the folder of mappings, or by its path.

    Raises:
        UserError: No such mapping, not YAML, or keys and values that do not fit; the message
            names the file and the path of each key.
    """
    path = _find(name_or_path, mappings_dir)
    try:
        content = _read_yaml(path)
    except OSError as error:
        raise UserError(f"the mapping cannot be read: {error.strerror}", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise UserError(
            f"the mapping is not valid YAML: {error}",
            where=str(path),
            fix="indent with spaces, and put texts with special signs in quotes",
        ) from error
    if not isinstance(content, dict):
        raise UserError(
            "the mapping is not a list of keys and values",
            where=str(path),
            fix="start from a copy of mappings/retail.yml",
        )
    content.setdefault("name", path.stem)
    try:
        mapping = Mapping.model_validate(content)
    except ValidationError as error:
        raise _told(error, path) from error
    mapping._path = path
    return mapping


def _read_yaml(path: Path) -> Any:
    """What a YAML file holds, if it is no larger than a person would write.

    Raises:
        ValueError: It is too large, too deep, or its aliases make it so; or a YAMLError.
    """
    if (n_bytes := path.stat().st_size) > _MAX_BYTES:
        raise ValueError(f"it has {n_bytes:,} bytes; a mapping has {_MAX_BYTES:,} at most")
    loader = _UniqueKeys(path.read_text(encoding="utf-8"))
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node)
        return loader.construct_document(node)
    except RecursionError:
        raise ValueError(
            f"keys and lists stand more than {_MAX_DEPTH} deep in each other"
        ) from None
    finally:
        loader.dispose()


def _check_size(root: yaml.Node) -> None:
    """Refuse a tree that is too deep, or too large once each alias stands for what it names."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        if depth > _MAX_DEPTH:
            raise ValueError(f"keys and lists stand more than {_MAX_DEPTH} deep in each other")
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) not in sizes:
            children = (
                [part for pair in node.value for part in pair]
                if isinstance(node, yaml.MappingNode)
                else node.value
            )
            sizes[id(node)] = 1 + sum(size(child, depth + 1) for child in children)
        if sizes[id(node)] > _MAX_NODES:
            raise ValueError(f"its aliases (*name) make it larger than {_MAX_NODES:,} values")
        return sizes[id(node)]

    size(root, 1)


class _UniqueKeys(yaml.SafeLoader):
    """YAML loader that refuses a key given twice, of which the last would win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word, not a list or keys", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _find(name_or_path: str | Path, mappings_dir: Path) -> Path:
    given = Path(name_or_path)
    is_path = len(given.parts) > 1 or given.suffix in {".yml", ".yaml"}
    path = given if is_path else mappings_dir / f"{given}.yml"
    if not path.is_file():
        names = sorted(p.stem for p in mappings_dir.glob("*.yml"))
        raise UserError(
            f"there is no mapping {str(name_or_path)!r}{_closest(str(name_or_path), names)}",
            where=str(path),
            fix=f"give the path of a YAML file, or one of: {', '.join(names) or '(none)'}",
        )
    return path


def _told(error: ValidationError, path: Path) -> UserError:
    # `series` may be a word or a dict: the complaint that a dict is not the word is of no use.
    problems = [
        _problem(dict(item))
        for item in error.errors()
        if not any(str(part).startswith("literal[") for part in item["loc"])
    ]
    if len(problems) == 1:
        key, message, fix = problems[0]
        return UserError(message, where=f"{path}: {key}", fix=fix)
    lines = [f"{key}: {message}" for key, message, _ in problems]
    return UserError(
        "\n    ".join([f"the mapping has {len(problems)} problems:", *lines]),
        where=str(path),
        fix="; ".join(dict.fromkeys(fix for _, _, fix in problems)),
    )


def _problem(item: dict[str, Any]) -> tuple[str, str, str]:
    loc = [str(part) for part in item["loc"] if not str(part).startswith("dict[")]
    key = ".".join(loc) or "(top)"
    if item["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1])
        message = f"unknown key {loc[-1]!r}{_closest(loc[-1], known)}"
        return key, message, f"known: {', '.join(known)}"
    if item["type"] == "missing":
        return key, f"the key {loc[-1]!r} is missing", f"add {key}"
    if item["type"] == "string_type":
        return key, f"{item['input']!r} is not a text", "put the value in quotes"
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] != "value_error" and not isinstance(item["input"], dict | list):
        message = f"{item['input']!r}: {message}"
    return key, message, f"correct {key}; mappings/retail.yml explains each key"


def _known_keys(parents: list[str]) -> list[str]:
    """Keys that the part of a mapping at a path may have."""
    models: dict[str, type[BaseModel]] = {
        "": Mapping,
        "tables": Tables,
        "tables.sales": SalesTable,
        "tables.related": RelatedTable,
        "tables.stores": StoresTable,
        "tables.departments": DepartmentsTable,
        "tables.series_changes": SeriesChangesTable,
    }
    place = ".".join(parents)
    if place.endswith(".unpivot"):
        return list(Unpivot.model_fields)
    if place in models:
        return list(models[place].model_fields)
    return list((CalendarEvent if parents[0] == "calendar_events" else RelatedSeries).model_fields)


def _refuse_repeated(columns: MappingType[str, str]) -> None:
    users: dict[str, list[str]] = {}
    for name, column in columns.items():
        users.setdefault(column, []).append(name)
    for column, names in users.items():
        if len(names) > 1:
            raise ValueError(f"column {column!r} of the file is given for {' and '.join(names)}")


def _closest(name: str, known: MappingType[str, Any] | tuple[str, ...] | list[str]) -> str:
    by_lower = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=1)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
