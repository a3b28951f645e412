"""Text from files, names and people as a terminal may be given it."""

from __future__ import annotations

import re

# Control characters but tab and line end, signs that turn the direction of text, and halves of
# characters, as which Python reads bytes of a file name that are no UTF-8.
_NOT_PRINTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """The text with what a terminal would obey, instead of show, written out as `\\x1b`."""
    return _NOT_PRINTED.sub(lambda found: ascii(found[0])[1:-1], text)
