"""Wide files: one column a week or day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, Literal

import duckdb

from salescast.ingest.value_sql import written_date_sql
from salescast.mapping import Mapping
from salescast.mapping_draft.columns import Kind
from salescast.mapping_draft.dates import likely_formats, read_dates
from salescast.mapping_draft.roles import shown

_FEWEST = 4
_WEEK_WORDS = {"w", "wk", "week", "kw", "woche", "semaine", "sem", "semana", "settimana", "wo"}
_DAY_WORDS = {"d", "day", "tag", "jour", "dia", "giorno", "dag", "t", "j"}


@dataclass
class Wide:
    """The columns of a wide file that are weeks or days.

    Attributes:
        titles: Their names, in the order of the file.
        unpivot: The key to write.
        grain: What the step from one to the next is.
        is_monthly: Whether it is a month or more.
        why: What was seen.
        doubts: What could not be told.
        formats: Date formats of the names.
    """

    titles: list[str]
    unpivot: dict[str, Any]
    grain: Literal["daily", "weekly"] = "weekly"
    is_monthly: bool = False
    why: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    formats: tuple[str, ...] = ()


def find_wide(kind: Kind, con: duckdb.DuckDBPyConnection, today: date) -> Wide | None:
    """The columns of a file that are weeks or days; None where it is no wide file."""
    titles = kind.titles
    dated = [title for title in titles if likely_formats(title)]
    wide = _by_date(dated, titles, con, kind.mapping) if len(dated) >= _FEWEST else None
    wide = wide or _by_number(titles, today)
    if wide is None:
        return None
    first, last = kind.profile(wide.titles[0]), kind.profile(wide.titles[-1])
    if not (first.is_number or last.is_number):
        return None
    kind.aside = set(wide.titles)
    return wide


def _by_date(
    dated: Sequence[str], titles: Sequence[str], con: duckdb.DuckDBPyConnection, mapping: Mapping
) -> Wide | None:
    con.execute(
        "create or replace temp table found as select unnest($titles) as v, 1 as n",
        {"titles": list(dated)},
    )
    reading = read_dates(con, "found", mapping, may_be_serial=False)
    if reading is None or not reading.formats:
        return None
    day = written_date_sql("v", reading.formats, mapping)
    rows = con.execute(
        f"select v, try_cast({day} as date) as day from found where {day} is not null order by day"
    ).fetchall()
    if len(rows) < _FEWEST:
        return None
    read = {row[0] for row in rows}
    wide = Wide([title for title in titles if title in read], {}, formats=reading.formats)
    gaps = sorted((b[1] - a[1]).days for a, b in pairwise(rows))
    usual = gaps[len(gaps) // 2]
    wide.grain = "daily" if usual < 5 and not reading.is_week else "weekly"
    wide.is_monthly = usual >= 26
    formats = reading.formats[0] if len(reading.formats) == 1 else list(reading.formats)
    wide.unpivot = {"columns": _patterns(wide.titles, titles), "date_format": formats}
    wide.why = [
        f"{len(wide.titles)} columns from {shown(wide.titles[0])} to {shown(wide.titles[-1])} are "
        f"named by dates, mostly {usual} day(s) apart",
        *reading.evidence,
    ]
    wide.doubts = list(reading.doubts)
    return wide


def _by_number(titles: Sequence[str], today: date) -> Wide | None:
    groups: dict[str, list[str]] = {}
    for title in titles:
        if len(re.findall(r"\d+", title)) == 1:
            groups.setdefault(re.sub(r"\d+", "0", title), []).append(title)
    found = []
    for shape, members in groups.items():
        numbers = [int(re.findall(r"\d+", each)[0]) for each in members]
        if len(members) >= _FEWEST and numbers == list(
            range(numbers[0], numbers[0] + len(numbers))
        ):
            word = re.sub("[^a-z]", "", shape.lower())
            found.append((word in _WEEK_WORDS or word in _DAY_WORDS, len(members), shape, members))
    if not found:
        return None
    found.sort(key=lambda each: each[:2], reverse=True)
    known, n_columns, shape, members = found[0]
    if not known and n_columns < 12:
        return None
    word = re.sub("[^a-z]", "", shape.lower())
    grain: Literal["daily", "weekly"] = "daily" if word in _DAY_WORDS else "weekly"
    if word not in _DAY_WORDS | _WEEK_WORDS and n_columns > 200:
        grain = "daily"
    step = 7 if grain == "weekly" else 1
    newest = today - timedelta(days=today.isoweekday() % 7 or 7)
    first = newest - timedelta(days=step * (n_columns - 1))
    wide = Wide(members, {}, grain)
    wide.unpivot = {
        "columns": _patterns(members, titles),
        "first_column": members[0],
        "first_date": first,
    }
    wide.why = [
        f"{n_columns} columns from {shown(members[0])} to {shown(members[-1])} are numbered "
        f"{'weeks' if grain == 'weekly' else 'days'}"
    ]
    wide.doubts = [
        f"the file does not say when {shown(members[0])} was: first_date is set so that "
        f"{shown(members[-1])} is {newest}. Correct it"
    ]
    if not known:
        wide.doubts.append(f"are these columns {'weeks' if step == 7 else 'days'}?")
    if len(found) > 1:
        others = ", ".join(f"{shown(each[3][0])}.." for each in found[1:4])
        wide.why.append(f"left: the columns {others}")
    return wide


def _patterns(wanted: Sequence[str], titles: Sequence[str]) -> list[str]:
    """Patterns that take these columns, later ones of the same kind too, and no others."""
    patterns = [
        "".join(
            "[0-9]*" if part.isdigit() else _escaped(part) for part in re.split(r"(\d+)", title)
        )
        for title in wanted
    ]
    unique = list(dict.fromkeys(patterns))
    others = set(titles) - set(wanted)
    if len(unique) <= 12 and not any(fnmatchcase(o, p) for o in others for p in unique):
        return unique
    return [_escaped(title) for title in wanted]


def _escaped(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)
