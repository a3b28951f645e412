"""Which files hold which table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from salescast.errors import UserError
from salescast.mapping_draft.columns import Kind, Profile
from salescast.mapping_draft.roles import (
    Roles,
    best,
    find_date,
    find_flags,
    find_keys,
    find_status,
    find_value,
    shown,
)
from salescast.mapping_draft.wide import Wide, find_wide
from salescast.mapping_draft.words import words_of

_ATTRIBUTES = {
    "stores": ("type", "size", "region", "opened_on", "closed_on"),
    "departments": ("name", "category"),
}


@dataclass
class Table:
    """Files of one table and what their columns are; `wide` for sales, `series` for related."""

    kind: Kind
    roles: Roles
    wide: Wide | None = None
    series: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of its files."""
        return [look.name for look in self.kind.looks]

    def dates(self) -> list[Profile]:
        """Columns that are read as dates."""
        names = ("date", "opened_on", "closed_on")
        return [self.roles.columns[name] for name in names if name in self.roles.columns]

    def numbers(self) -> list[Profile]:
        """Columns that are read as numbers."""
        found = [self.roles.columns[n] for n in ("sales", "size") if n in self.roles.columns]
        wanted = {spec.get("column", name) for name, spec in self.series.items()}
        found += [each for each in self.kind.profiles if each.title in wanted and each.is_number]
        if self.wide:
            found += [self.kind.profile(title) for title in self.wide.titles[:3]]
        return found


@dataclass
class Plan:
    """The tables by name, and files that are left with the reason."""

    tables: dict[str, Table]
    left: list[tuple[str, str]]


def make_plan(kinds: Sequence[Kind], con: duckdb.DuckDBPyConnection, today: date) -> Plan:
    """Decide which kinds of files hold sales, related series, stores and departments.

    Raises:
        UserError: No file has a date and a number to forecast.
    """
    plan = Plan({}, [])
    sales = _find_sales(kinds, con, today)
    plan.tables["sales"] = sales
    rest = [kind for kind in kinds if kind is not sales.kind]
    related: list[Table] = []
    for kind in rest:
        table = _attributes(kind, "stores") or _attributes(kind, "departments")
        if table is None:
            found = _related(kind, sales)
            if isinstance(found, Table):
                related.append(found)
            else:
                plan.left += [(look.name, found) for look in kind.looks]
        elif (name := "stores" if "store" in table.roles.columns else "departments") in plan.tables:
            reason = f"another file holds the {name}"
            plan.left += [(look.name, reason) for look in kind.looks]
        else:
            plan.tables[name] = table
    related.sort(key=lambda table: -len(table.series))
    for number, table in enumerate(related):
        if number == 0:
            plan.tables["related"] = table
        else:
            reason = "one kind of file can hold related series, and another has more of them"
            plan.left += [(name, reason) for name in table.names]
    order = ("sales", "related", "stores", "departments")
    plan.tables = {name: plan.tables[name] for name in order if name in plan.tables}
    return plan


def _find_sales(kinds: Sequence[Kind], con: duckdb.DuckDBPyConnection, today: date) -> Table:
    found: list[tuple[float, int, Table]] = []
    for kind in kinds:
        table = _sales(kind, con, today, by_name_only=True)
        if table is None:
            continue
        profile = table.roles.columns.get("sales")
        like = (
            3.0
            if profile is None
            else max(profile.likeness("amount"), profile.likeness("quantity"))
        )
        found.append((round(like), kind.n_rows, table))
    if not found:
        for kind in kinds:
            table = _sales(kind, con, today, by_name_only=False)
            if table is not None:
                found.append((0, kind.n_rows, table))
    if not found:
        parts = [
            title
            for kind in kinds
            for title in kind.titles
            if set(words_of(title)) & {"year", "month", "week", "day", "jahr", "woche", "monat"}
        ]
        apart = f"; {', '.join(map(shown, parts[:4]))} have to be one column" if parts else ""
        raise UserError(
            f"no file has a column of dates and a column of numbers to forecast{apart}",
            where=", ".join(look.name for kind in kinds for look in kind.looks[:3]),
            fix="give the file with one row a sale, a day or a week; or write a mapping by hand, "
            "from a copy of mappings/retail.yml",
        )
    return max(found, key=lambda each: each[:2])[2]


def _sales(
    kind: Kind, con: duckdb.DuckDBPyConnection, today: date, *, by_name_only: bool
) -> Table | None:
    roles = Roles()
    wide = find_wide(kind, con, today)
    profiles = kind.profiles
    if wide is None:
        find_date(profiles, roles)
        if "date" not in roles.columns:
            return None
        find_value(profiles, roles, by_name_only=by_name_only)
        if "sales" not in roles.columns:
            return None
    find_keys(profiles, roles, may_be_unique=wide is not None)
    if wide is None:
        find_flags(profiles, roles)
    find_status(profiles, roles)
    return Table(kind, roles, wide)


def _related(kind: Kind, sales: Table) -> Table | str:
    """Related series, or the reason why a file holds none."""
    roles = Roles()
    find_date(kind.profiles, roles)
    if "date" not in roles.columns:
        return "it has no column of dates"
    find_keys(kind.profiles, roles)
    if "store" in roles.constants and "store" in sales.roles.columns:
        return "it has dates but no store"
    if "department" in roles.constants:
        del roles.constants["department"]
        roles.doubts.pop("department", None)
    taken = roles.used()
    numbers = [
        p
        for p in kind.profiles
        if p.title not in taken and not p.dates and (p.is_number or p.is_flag)
    ]
    value = sales.roles.columns.get("sales")
    if value and value.title in {p.title for p in numbers}:
        return "it holds sales too, with other columns: map it by itself"
    if not numbers:
        return "it has no numbers beside the dates"
    series: dict[str, dict[str, Any]] = {}
    for profile in numbers:
        name = _series_name(profile.title, series)
        spec: dict[str, Any] = {"column": profile.title}
        if profile.is_flag:
            spec["weekly_aggregation"] = "max"
        series[name] = spec
    return Table(kind, roles, series=series)


def _series_name(title: str, taken: dict[str, Any]) -> str:
    name = re.sub(r"[^A-Za-z0-9_]+", "_", "_".join(words_of(title)))[:80]
    name = name if re.match("[A-Za-z]", name) else f"series_{name}".rstrip("_")
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def _attributes(kind: Kind, table: str) -> Table | None:
    """Attributes of stores or departments: one row each, and no date of sales."""
    role = "store" if table == "stores" else "department"
    other = "department" if role == "store" else "store"
    key = best(kind.profiles, role, 1.0)
    if key is None or not key.is_unique or key.likeness(other) > key.likeness(role):
        return None
    if any(p.dates and p.likeness("date") >= 2 for p in kind.profiles):
        return None
    roles = Roles({role: key})
    for name in _ATTRIBUTES[table]:
        free = [p for p in kind.profiles if p.title not in roles.used()]
        found = best(free, name, 2.0)
        if found is None or (name.endswith("_on") and not found.dates and found.n_values):
            continue
        if name == "size" and not found.is_number:
            continue
        roles.columns[name] = found
    if len(roles.columns) < 2:
        return None
    unused = [shown(p.title) for p in kind.profiles if p.title not in roles.used()]
    if unused:
        roles.see("unused", f"columns not used: {', '.join(unused[:12])}")
    return Table(kind, roles)
