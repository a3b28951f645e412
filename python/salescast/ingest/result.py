"""What a delivery holds and does, as a person or a program is told it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from salescast.errors import UserError
from salescast.ingest.figures import Replaced, counted, dates, plain
from salescast.ingest.set_aside import SetAside


@dataclass(frozen=True)
class LandedLoad:
    """One file of the delivery.

    `replaces_load_id` is the load of the same file that this one replaces, if there is one.
    """

    load_id: str
    table_name: str
    source_file: str
    n_rows: int
    replaces_load_id: str | None = None


@dataclass(frozen=True)
class SkippedFile:
    """One file whose content had been landed before, as the load named."""

    table_name: str
    source_file: str
    load_id: str


@dataclass(frozen=True)
class TableFigures:
    """What a delivery holds for one table; dates and sum are those that can be read."""

    table_name: str
    n_files: int
    n_rows: int
    n_left_out: int
    first_date: date | None
    last_date: date | None
    sales_sum: float | None


@dataclass(frozen=True)
class IngestResult:
    """What a delivery holds, and what was left alone.

    Attributes:
        delivery_id: The delivery; empty if no file is new: one that is read anew stays in its own.
        loads: Its files.
        figures: What they hold, by table.
        set_aside: Which of its sales will not count, and why.
        replaced: What it does to landed sales.
        skipped: Files whose content is landed already.
        unmatched: Files that no table of the mapping asks for.
        settings_id: The newest settings after the command.
        settings_changed: Whether this command landed them.
        warnings: What a person should look at.
        questions: What only a person can decide; answered with yes if the delivery landed.
        is_landed: Whether the delivery is in the lake; not after a check.
    """

    delivery_id: str
    loads: tuple[LandedLoad, ...]
    figures: tuple[TableFigures, ...]
    set_aside: tuple[SetAside, ...]
    replaced: Replaced
    skipped: tuple[SkippedFile, ...]
    unmatched: tuple[str, ...]
    settings_id: str
    settings_changed: bool
    warnings: tuple[str, ...]
    questions: tuple[str, ...]
    is_landed: bool


Decide = Callable[[IngestResult], bool]
"""Told what a delivery is about to do; says whether it lands."""


def land_without_question(result: IngestResult) -> bool:
    """Land a delivery that raises no question, refuse any other.

    Raises:
        UserError: The delivery raises questions.
    """
    if not result.questions:
        return True
    lines = [f"{n}. {text}" for n, text in enumerate(result.questions, start=1)]
    raise UserError(
        "\n  ".join(["nothing was landed: this delivery needs a word from you", *lines]),
        where=", ".join(load.source_file for load in result.loads[:5]) or "the settings",
        fix="look at the figures above; --yes lands it as it is, --check shows more",
    )


def told(result: IngestResult) -> list[str]:
    """What a delivery holds and does, one line each."""
    lines = []
    for each in result.figures:
        parts = [
            f"{each.table_name}: {counted(each.n_rows, 'row')} of {counted(each.n_files, 'file')}"
        ]
        if each.first_date:
            parts.append(dates(each.first_date, each.last_date))
        if each.sales_sum is not None:
            parts.append(f"sum of sales {plain(each.sales_sum)}")
        if each.n_left_out:
            parts.append(f"{counted(each.n_left_out, 'row')} left out by the mapping")
        lines.append(", ".join(parts))
    if result.set_aside:
        n_rows = sum(each.n_rows for each in result.set_aside)
        reasons = ", ".join(
            f"{each.n_rows:,} {each.reason}{f' ({each.place})' if each.place else ''}"
            for each in result.set_aside
        )
        lines.append(f"of the sales {counted(n_rows, 'row')} will not count: {reasons}")
    if result.replaced.n_rows:
        r = result.replaced
        lines.append(
            f"replaces {counted(r.n_rows, 'landed row')} of {dates(r.first_date, r.last_date)}, "
            f"{r.n_changed:,} by another value: sum of sales there {plain(r.sum_before)} before, "
            f"{plain(r.sum_after)} after"
        )
    for load in result.loads:
        if load.replaces_load_id:
            lines.append(
                f"{load.source_file} lands anew and replaces what it was, {load.replaces_load_id}"
            )
    return lines
