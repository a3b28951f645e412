"""What a person sees: progress on stderr, results as tables on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Self

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from salescast.printable import printable

DASH = "–"  # noqa: RUF001 - the en dash stands for "no value"
DIGITS = f"-{DASH}0123456789"

_WIDTH_OF_A_FILE = 200

SECONDS_BETWEEN_LINES = 15.0
"""Without a terminal, long work tells its state this often, one line each."""


class ConsoleProgress:
    """The state of long work: one moving line in a terminal, a line now and then in a log."""

    def __init__(self) -> None:
        """Write to stderr, so that stdout holds results only."""
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._told_at = time.monotonic()

    def __enter__(self) -> Self:
        """Begin with the moving line."""
        if self._console.is_terminal:
            self._status = self._console.status("")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the moving line."""
        if self._status is not None:
            self._status.stop()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._told_at = time.monotonic()
        self._console.print(_as_it_is(text), soft_wrap=True)

    def update(self, text: str) -> None:
        """Replace the moving line."""
        if self._status is not None:
            self._status.update(_as_it_is(text))
        elif time.monotonic() - self._told_at >= SECONDS_BETWEEN_LINES:
            self.say(text)

    def confirm(self, question: str) -> bool:
        """Ask a person; without a terminal, and at a Ctrl-C, the answer is no."""
        if not (self._console.is_terminal and sys.stdin.isatty()):
            return False
        if self._status is not None:
            self._status.stop()
        try:
            return click.confirm(printable(question), err=True)
        except click.Abort:
            return False


def _as_it_is(text: str) -> Text:
    """Text in which rich finds neither markup nor names of emoji, and a terminal no command."""
    return Text(printable(text))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows as a table on stdout; numbers to the right."""
    table = Table(title=_as_it_is(title), title_justify="left", box=SIMPLE_HEAD)
    for n, column in enumerate(columns):
        is_number = bool(rows) and all(str(row[n])[:1] in DIGITS for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_as_it_is(str(value)) for value in row))
    # A file or a pipe has no width, so nothing is folded for it.
    width = None if Console().is_terminal else _WIDTH_OF_A_FILE
    Console(highlight=False, width=width).print(table)
