"""A mapping as YAML text, with what was seen as comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Any

import yaml

_WIDTH = 100


class Page:
    """Lines of a mapping in the order in which they are given; counts what is to be checked."""

    def __init__(self) -> None:
        """Start with no line."""
        self.lines: list[str] = []
        self.checks: list[str] = []

    def say(self, *texts: str, indent: int = 0) -> None:
        """Write comments."""
        for text in texts:
            # A sentence begins with a capital, a file or a key stays as it is.
            is_word = re.match("[a-z]+[ ,]", text)
            self._comment("# ", text[:1].upper() + text[1:] if is_word else text, indent)

    def check(self, *texts: str, indent: int = 0) -> None:
        """Write comments that tell a person to look."""
        for text in texts:
            self.checks.append(_plain(text))
            self._comment("# CHECK: ", text, indent)

    def key(
        self,
        name: str,
        value: Any,
        *,
        why: Iterable[str] = (),
        doubts: Iterable[str] = (),
        indent: int = 0,
    ) -> None:
        """Write a key on one line, below what was seen and what is to be checked."""
        self.say(*why, indent=indent)
        self.check(*doubts, indent=indent)
        self.lines.append(f"{' ' * indent}{name}: {inline(value)}")

    def open(self, name: str, indent: int = 0) -> None:
        """Begin a part."""
        self.lines.append(f"{' ' * indent}{name}:")

    def blank(self) -> None:
        """Leave a line free."""
        self.lines.append("")

    def text(self) -> str:
        """The whole page."""
        return "\n".join(self.lines).rstrip() + "\n"

    def _comment(self, start: str, text: str, indent: int) -> None:
        room = _WIDTH - indent
        self.lines += [
            " " * indent + line
            for line in textwrap.wrap(
                _plain(text),
                room,
                initial_indent=start,
                subsequent_indent="#   ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        ]


def inline(value: Any) -> str:
    """A value of YAML on one line."""
    written = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False
    )
    return written.strip().removesuffix("...").strip()


def _plain(text: str) -> str:
    """Text without line breaks and control signs, which would end a comment."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+", " ", text)
