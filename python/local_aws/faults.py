"""What the faults of every server have in common: how they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Faults(Protocol):
    """Faults that a test may ask a server for."""

    def ask(self, wanted: dict[str, Any]) -> None:
        """Replace the faults; ValueError if they are not known or not well-formed."""

    def clear(self) -> None:
        """Ask for none."""


def check_types(wanted: Mapping[str, Any], types: Mapping[str, tuple[type, ...]]) -> None:
    """Compare the faults that are asked for with those that there are.

    Raises:
        ValueError: A key is not known, or its value is of the wrong type.
    """
    if unknown := set(wanted) - set(types):
        raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
    for name, value in wanted.items():
        if type(value) not in types[name]:
            expected = " or ".join(each.__name__ for each in types[name])
            raise ValueError(f"{name} is {value!r}; {expected} is expected")
