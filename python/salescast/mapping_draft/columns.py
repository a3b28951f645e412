"""What the columns of files of one kind hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import pyarrow.parquet as pq

from salescast.ingest.value_sql import is_number, written_number_sql
from salescast.mapping import NULL_TEXTS, Mapping
from salescast.mapping_draft.dates import DateReading, read_dates
from salescast.mapping_draft.files import Look, provisional_mapping
from salescast.mapping_draft.words import likeness
from salescast.sql_text import quoted_text

_MAX_PROFILED = 60
_MORE_NULL_TEXTS = ("-", "--", "N/A", "n/a", "#N/A", "None", "none", "nil", "(null)", "?", "\\N")
_FLAGS = ("true", "false", "t", "f", "0", "1", "yes", "no", "y", "n")
# Number signs in which a column may be written, simplest first.
SIGNS: tuple[tuple[str, str | None], ...] = ((".", None), (",", None), (".", ","))


@dataclass(frozen=True)
class Profile:
    """What the values of a column are.

    Attributes:
        title: Its name in the file.
        place: Its number in the file, from 0.
        n_rows: Rows looked at.
        n_values: Cells that are not empty.
        n_distinct: Different ones.
        n_numbers: Those that are numbers under each of `SIGNS`.
        n_flags: Those that read as true or false.
        n_signs: Those that have a point or a comma.
        n_long: Those that are four digits or more and nothing else.
        examples: The most frequent ones.
        bad_numbers: The most frequent ones that are numbers under none of `SIGNS`.
        nulls: Texts that mean no value, with their number of cells.
        dates: How it is read as dates, None where it is none.
    """

    title: str
    place: int
    n_rows: int
    n_values: int
    n_distinct: int
    n_numbers: tuple[int, ...]
    n_flags: int
    n_signs: int
    n_long: int
    examples: tuple[str, ...]
    bad_numbers: tuple[tuple[str, int], ...]
    nulls: dict[str, int]
    dates: DateReading | None

    @property
    def is_number(self) -> bool:
        """Whether most values are numbers."""
        return self.n_values > 0 and 2 * max(self.n_numbers) > self.n_values

    @property
    def is_flag(self) -> bool:
        """Whether all values read as true or false."""
        return 0 < self.n_values == self.n_flags

    @property
    def is_unique(self) -> bool:
        """Whether no value comes twice."""
        return self.n_values == self.n_distinct == self.n_rows

    def likeness(self, role: str) -> float:
        """How well the title names a role, from 0 to 3."""
        return likeness(self.title, role)


class Kind:
    """Files with the same columns.

    Attributes:
        looks: The files.
        titles: Columns that all of them have.
        sample: Table of `file`, and the columns as c0, c1 and so on.
        n_rows: Rows in it.
        aside: Columns of a wide file that are weeks or days.
    """

    def __init__(self, looks: Sequence[Look], con: duckdb.DuckDBPyConnection) -> None:
        """Put the samples of the files together."""
        self.looks, self.con = list(looks), con
        self.aside: set[str] = set()
        shared = set.intersection(*(set(look.titles) for look in looks))
        self.titles = [title for title in looks[0].titles if title in shared]
        self.sample = f"kind_{looks[0].sample}"
        self.n_rows = sum(look.n_rows for look in looks)
        first = looks[0]
        self.mapping: Mapping = provisional_mapping(first.layout, first.titles, first.path)
        parts = []
        for number, look in enumerate(looks):
            cells = [f"{look.column(title).sql} as c{i}" for i, title in enumerate(self.titles)]
            parts.append(f"select {number} as file, {', '.join(cells)} from {look.sample}")
        con.execute(f"create temp table {self.sample} as {' union all '.join(parts)}")

    @cached_property
    def profiles(self) -> list[Profile]:
        """What each column holds but those of `aside`; of very many only the first ones."""
        titles = [title for title in self.titles if title not in self.aside]
        return [self.profile(title) for title in titles[:_MAX_PROFILED]]

    def sql(self, title: str) -> str:
        """A column's name in `sample`."""
        return f"c{self.titles.index(title)}"

    def profile(self, title: str) -> Profile:
        """What a column holds, from all rows of the sample."""
        trimmed = rf"regexp_replace({self.sql(title)}, '^[\s\pZ]+|[\s\pZ]+$', '', 'g')"
        known = {"known": [*NULL_TEXTS, *_MORE_NULL_TEXTS]}
        self.con.execute(
            f"create or replace temp table given as select {trimmed} as v, count(*) as n"
            f" from {self.sample} group by 1"
        )
        nulls = self.con.execute(
            "select v, n from given where list_contains($known, v) order by n desc, v", known
        ).fetchall()
        self.con.execute(
            "create or replace temp table found as select * from given"
            " where v is not null and not list_contains($known, v)",
            known,
        )
        numbers = [_is_written(self.mapping, each) for each in SIGNS]
        flags = f"lower(v) in ({', '.join(map(quoted_text, _FLAGS))})"
        sums = [flags, "regexp_matches(v, '[.,]')", "regexp_matches(v, '^[0-9]{4,}$')", *numbers]
        counted = ", ".join(f"coalesce(sum(n) filter ({each}), 0)::bigint" for each in sums)
        row = self._row(f"select coalesce(sum(n), 0)::bigint, count(*), {counted} from found")
        n_values, n_distinct, n_flags, n_signs, n_long, *n_numbers = (int(each) for each in row)
        bad = self.con.execute(
            f"select v, n from found where not ({' or '.join(numbers)}) order by n desc, v limit 5"
        ).fetchall()
        examples = self.con.execute("select v from found order by n desc, v limit 8").fetchall()
        return Profile(
            title=title,
            place=self.titles.index(title),
            n_rows=self.n_rows,
            n_values=n_values,
            n_distinct=n_distinct,
            n_numbers=tuple(n_numbers),
            n_flags=n_flags,
            n_signs=n_signs,
            n_long=n_long,
            examples=tuple(row[0] for row in examples),
            bad_numbers=tuple((row[0], int(row[1])) for row in bad),
            nulls={row[0]: int(row[1]) for row in nulls if row[0]},
            dates=self._dates(title, n_values),
        )

    def _dates(self, title: str, n_values: int) -> DateReading | None:
        look = self.looks[0]
        column = look.column(title)
        if column.type == "DATE" or column.type.startswith("TIMESTAMP"):
            field = pq.read_schema(look.path).field(look.source.columns.index(column))
            zone = getattr(field.type, "tz", None)
            said = f"dates by their type in the file, {field.type}"
            return DateReading((), n_values, n_values, (said,), offsets=(zone,) if zone else ())
        serial = likeness(title, "date") > 0
        return read_dates(self.con, "found", self.mapping, may_be_serial=serial)

    def _row(self, query: str) -> tuple[Any, ...]:
        return self.con.execute(query).fetchone() or ()


def _is_written(mapping: Mapping, each: tuple[str, str | None]) -> str:
    """SQL that says whether a text is a number in these signs, and not one in others."""
    read = written_number_sql("v", signs(mapping, each))
    if each[0] == ".":
        return is_number(read)
    # What is not read stays as it is: a point in it is then a decimal point.
    return f"({is_number(read)} and not (contains(v, '.') and {read} = v))"


def signs(mapping: Mapping, each: tuple[str, str | None]) -> Mapping:
    """A mapping with other number signs."""
    return mapping.model_copy(update={"decimal_sign": each[0], "thousands_sign": each[1]})
