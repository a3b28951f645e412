"""How the dates of a column are written, by reading all its values in every likely way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from salescast.ingest.value_sql import written_date_sql
from salescast.mapping import (
    EXCEL_DATES,
    EXCEL_NUMBER,
    Mapping,
    formats_clash,
    names_week_only,
    without_offset,
)
from salescast.sql_text import quoted_text

# A format reads a column if it reads this part of the values.
MOST = 0.6
_MAX_SHAPES = 12
_MONTHS = r"(?:[A-Za-z]{3,9})"
_DATE_FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}-?W\d{1,2}-[1-7]", ("%G-W%V-%u",)),
    (r"\d{4}-W\d{1,2}", ("%G-W%V",)),
    (r"\d{4}W\d{1,2}", ("%GW%V",)),
    (r"\d{4}(?P<s>[-/.])\d{1,2}(?P=s)\d{1,2}", ("%Y{s}%m{s}%d", "%Y{s}%d{s}%m")),
    (r"\d{1,2}(?P<s>[-/. ])\d{1,2}(?P=s)\d{4}", ("%d{s}%m{s}%Y", "%m{s}%d{s}%Y")),
    (
        r"\d{1,2}(?P<s>[-/.])\d{1,2}(?P=s)\d{2}",
        ("%d{s}%m{s}%y", "%m{s}%d{s}%y", "%y{s}%m{s}%d"),
    ),
    (r"\d{8}", ("%Y%m%d", "%d%m%Y", "%m%d%Y")),
    (rf"\d{{1,2}}(?P<s>[-/. ]){_MONTHS}(?P=s)\d{{4}}", ("%d{s}%b{s}%Y", "%d{s}%B{s}%Y")),
    (rf"\d{{1,2}}(?P<s>[-/. ]){_MONTHS}(?P=s)\d{{2}}", ("%d{s}%b{s}%y", "%d{s}%B{s}%y")),
    (rf"{_MONTHS} \d{{1,2}}(?P<s>,?) \d{{4}}", ("%b %d{s} %Y", "%B %d{s} %Y")),
    (rf"\d{{4}}(?P<s>[-/ ]){_MONTHS}(?P=s)\d{{1,2}}", ("%Y{s}%b{s}%d", "%Y{s}%B{s}%d")),
)
_TIME_FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"", ("",)),
    (r"(?P<t>[ T]|, )\d{1,2}:\d{2}", ("{t}%H:%M",)),
    (r"(?P<t>[ T]|, )\d{1,2}:\d{2}:\d{2}", ("{t}%H:%M:%S",)),
    (r"(?P<t>[ T]|, )\d{1,2}:\d{2}:\d{2}\.\d{1,9}", ("{t}%H:%M:%S.%f", "{t}%H:%M:%S.%n")),
    (r"(?P<t>[ T]|, )\d{1,2}:\d{2}(?P<b> ?)[AaPp][Mm]", ("{t}%I:%M{b}%p",)),
    (r"(?P<t>[ T]|, )\d{1,2}:\d{2}:\d{2}(?P<b> ?)[AaPp][Mm]", ("{t}%I:%M:%S{b}%p",)),
)
_OFFSET_FORM = r"(?P<z> ?)(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})"
_WEEKDAY_FORMS = (("", ""), (r"[A-Za-z]{3},? ", "%a{w}"), (r"[A-Za-z]{6,9},? ", "%A{w}"))


@dataclass(frozen=True)
class DateReading:
    """How the dates of a column are read.

    Attributes:
        formats: Formats to write, most used first; empty for date columns of Parquet.
        n_values: Cells that are not empty.
        n_read: Those that the formats read.
        evidence: What was seen.
        doubts: What could not be told; each has to be looked at by a person.
        offsets: Some offsets from UTC or zones that stand behind the times.
    """

    formats: tuple[str, ...]
    n_values: int
    n_read: int
    evidence: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    offsets: tuple[str, ...] = ()

    @property
    def is_week(self) -> bool:
        """Whether the values name ISO weeks and no day."""
        return any(map(names_week_only, self.formats))

    @property
    def has_time(self) -> bool:
        """Whether the values have a time of day."""
        return any("%H" in each or "%I" in each for each in self.formats)


@dataclass
class _Shape:
    """Values that look alike: digits and letters in the same places."""

    example: str
    n_values: int
    where: str
    read: dict[str, int] = field(default_factory=dict)

    @property
    def best(self) -> list[str]:
        most = max(self.read.values(), default=0)
        found = [name for name, number in self.read.items() if number == most and most]
        # Nobody writes year, day, month where year, month, day reads as much.
        usual = [name for name in found if not re.match("%Y.%d", name)]
        return usual or found


def likely_formats(example: str) -> list[str]:
    """Formats that a text like this may be written in."""
    found = []
    for weekday, weekday_format in _WEEKDAY_FORMS:
        for date_form, date_formats in _DATE_FORMS:
            for time_form, time_formats in _TIME_FORMS:
                for offset in ("", _OFFSET_FORM) if time_form else ("",):
                    pattern = f"(?P<w>{weekday}){date_form}{time_form}{offset}"
                    match = re.fullmatch(pattern, example)
                    if match is None:
                        continue
                    parts = {key: value or "" for key, value in match.groupdict().items()}
                    lead = re.sub("[A-Za-z]+", "", parts["w"]) if weekday else ""
                    for day in date_formats:
                        for time in time_formats:
                            text = weekday_format + day + time
                            text = text.replace("{w}", lead)
                            for key in ("s", "t", "b"):
                                text = text.replace(f"{{{key}}}", parts.get(key, ""))
                            found.append(text + (f"{parts['z']}%z" if offset else ""))
    return list(dict.fromkeys(found))


def read_dates(
    con: duckdb.DuckDBPyConnection, values: str, mapping: Mapping, *, may_be_serial: bool
) -> DateReading | None:
    """How the values of a table are dates, or None where they are none.

    Args:
        con: Connection that has the table.
        values: Name of a table of `v`, a text without blanks around, and `n`, its number.
        mapping: Any mapping whose time zone is as_written.
        may_be_serial: Whether numbers of five digits may be Excel's day numbers.
    """
    total, shapes = _shapes(con, values)
    if not total:
        return None
    for shape in shapes:
        formats = likely_formats(shape.example)
        if may_be_serial and re.fullmatch(EXCEL_NUMBER, shape.example):
            formats = [EXCEL_DATES]
        if formats:
            days = [written_date_sql("v", (each,), mapping) for each in formats]
            sums = ", ".join(f"coalesce(sum(n) filter ({day} is not null), 0)" for day in days)
            row = con.execute(f"select {sums} from {values} where {shape.where}").fetchone() or ()
            shape.read = {f: int(n) for f, n in zip(formats, row, strict=True) if n}
    dated = [shape for shape in shapes if shape.best]
    if sum(max(shape.read.values()) for shape in dated) < MOST * total:
        return None
    return _Choice(con, values, mapping, total, dated).reading()


def _shapes(con: duckdb.DuckDBPyConnection, values: str) -> tuple[int, list[_Shape]]:
    """The number of values, and those that look alike, most first."""
    # Signs that stand for long and short runs of digits and of letters.
    shape = "v"
    for run, sign in (
        ("[0-9]{4,}", "#"),
        ("[0-9]+", "0"),
        ("[A-Za-z]{4,}", "@"),
        ("[A-Za-z]+", "a"),
    ):
        shape = f"regexp_replace({shape}, '{run}', '{sign}', 'g')"
    digits = (
        "case when regexp_matches(v, '^[0-9.,]+$')"
        f" then regexp_replace(v, '[0-9]', '9', 'g') else {shape} end"
    )
    rows = con.execute(
        f"select {digits} as shape, sum(n), min(v) from {values} group by 1 order by 2 desc, 1"
        f" limit {_MAX_SHAPES}"
    ).fetchall()
    total = con.execute(f"select coalesce(sum(n), 0) from {values}").fetchone()
    found = []
    for text, number, example in rows:
        found.append(_Shape(example, int(number), f"({digits}) = {quoted_text(text)}"))
    return int(total[0]) if total else 0, found


class _Choice:
    """Chooses one format for each shape."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        values: str,
        mapping: Mapping,
        total: int,
        shapes: list[_Shape],
    ) -> None:
        self.con, self.values, self.mapping, self.total = con, values, mapping, total
        self.shapes = shapes
        self.evidence: list[str] = []
        self.doubts: list[str] = []

    def reading(self) -> DateReading:
        chosen: list[tuple[_Shape, str]] = []
        open_shapes = []
        for shape in self.shapes:
            if len(self._orders(shape.best)) == 1:
                # May is a long and a short name: later months tell, so both are taken.
                chosen += [(shape, each) for each in shape.best]
            else:
                open_shapes.append(shape)
        for shape in open_shapes:
            chosen.append((shape, self._undecided(shape, [each for _, each in chosen])))
        formats: list[str] = []
        for shape, each in sorted(chosen, key=lambda pair: -pair[0].n_values):
            clash = [other for other in formats if formats_clash(each, other)]
            if each in formats:
                continue
            if clash:
                self.doubts.append(
                    f"{shape.n_values:,} values such as {shape.example!r} read as {each}, which "
                    f"cannot be told apart from {clash[0]}: they are set aside"
                )
                continue
            formats.append(each)
        for shape, each in {shape.example: (shape, each) for shape, each in chosen}.values():
            others = [
                f"{other} reads {number:,}"
                for other, number in shape.read.items()
                if other not in shape.best and not re.match("%Y.%d", other)
            ]
            self.evidence.insert(
                0,
                f"{shape.read[each]:,} of {shape.n_values:,} values such as {shape.example!r} read "
                f"as {each}" + (f"; {', '.join(others)}" if others else ""),
            )
        n_read = self._n_read(formats)
        if n_read < self.total:
            bad = self.con.execute(
                f"select v, n from {self.values} where"
                f" {written_date_sql('v', tuple(formats), self.mapping)} is null"
                " order by n desc, v limit 3"
            ).fetchall()
            shown = ", ".join(repr(row[0]) for row in bad)
            self.doubts.append(
                f"{self.total - n_read:,} of {self.total:,} values are read as no date, such as "
                f"{shown}"
            )
        return DateReading(
            tuple(formats),
            self.total,
            n_read,
            tuple(self.evidence),
            tuple(self.doubts),
            self._offsets(formats),
        )

    def _orders(self, formats: Sequence[str]) -> set[str]:
        """In which orders the formats have year, month and day."""
        names = {"y": "Y", "B": "m", "b": "m", "Y": "Y", "m": "m", "d": "d", "G": "G", "V": "V"}
        return {
            "".join(names[sign] for sign in re.findall("%([yYbBmdGV])", each)) for each in formats
        }

    def _undecided(self, shape: _Shape, decided: Sequence[str]) -> str:
        """The format of a shape that several read in full: under which days lie closest."""
        figures = []
        for each in shape.best:
            day = written_date_sql("v", (each, *decided), self.mapping)
            row = self.con.execute(
                f"select count(distinct day), date_diff('day', min(day), max(day)) + 1,"
                " max(day(day)) = 1 and count(distinct month(day)) > 3 from"
                f" (select try_cast({day} as date) as day from {self.values})"
            ).fetchone() or (0, 1, False)
            # Firsts of months lie far apart, and under the other order close together.
            apart = 0.0 if row[2] else int(row[1]) / max(int(row[0]), 1)
            figures.append((apart, int(row[0]), int(row[1]), each))
        figures.sort(key=lambda figure: figure[0])
        (first, n_days, span, each), second = figures[0], figures[1]
        if first == 0:
            why = "under which all are the first of a month"
        elif second[0] > 1.2 * first:
            why = f"its {n_days:,} dates lie in {span:,} days, under {second[3]} in {second[2]:,}"
        else:
            like = [f for f in shape.best if self._orders(decided) & self._orders([f])]
            each = like[0] if like else self._usual(shape.best)
            why = "as the other dates are" if like else "as is usual"
        others = ", ".join(other for other in shape.best if other != each)
        self.doubts.append(
            f"{shape.n_values:,} values such as {shape.example!r} read as {each} and as {others}; "
            f"{each} is taken, {why}. Look at one date that you know"
        )
        return each

    def _usual(self, formats: Sequence[str]) -> str:
        """Day first with points; month first with slashes, as exports of shop systems are."""
        if "." in formats[0]:
            return formats[0]
        return next((each for each in formats if each.startswith("%m/")), formats[0])

    def _n_read(self, formats: Sequence[str]) -> int:
        day = written_date_sql("v", tuple(formats), self.mapping)
        row = self.con.execute(
            f"select coalesce(sum(n), 0) from {self.values} where {day} is not null"
        ).fetchone()
        return int(row[0]) if row else 0

    def _offsets(self, formats: Sequence[str]) -> tuple[str, ...]:
        if all(without_offset(each) == each for each in formats):
            return ()
        rows = self.con.execute(
            "select regexp_extract(v, '([Zz]|[A-Z]{3}|[+-][0-9]{2}:?[0-9]{0,2})$', 1) as z, sum(n)"
            f" from {self.values} group by 1 order by 2 desc limit 4"
        ).fetchall()
        return tuple(row[0] for row in rows if row[0])
