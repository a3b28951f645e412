"""What the faults of every server have in common: how they are asked for."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol


class Faults(Protocol):
    """Faults that a test may ask a server for."""

    def ask(self, wanted: dict[str, Any]) -> None:
        """Replace the faults; ValueError if they are not known or not well-formed."""

    def clear(self) -> None:
        """Ask for none."""


class Throttle:
    """Which calls are throttled; safe to use from several threads."""

    TYPES: ClassVar[dict[str, tuple[type, ...]]] = {"throttle_rate": (int, float), "seed": (int,)}

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        """Read what is asked for, its types checked.

        Args:
            wanted: throttle_rate (share of calls) and seed (the same calls for the same one).

        Raises:
            ValueError: The rate is out of range.
        """
        self._rate = float(wanted.get("throttle_rate", 0.0))
        if not 0 <= self._rate <= 1:
            raise ValueError(f"throttle_rate is {wanted['throttle_rate']!r}; 0 to 1 is expected")
        self._random = random.Random(wanted.get("seed", 0))
        self._lock = threading.Lock()

    def meets(self) -> bool:
        """Whether this call shall be throttled."""
        with self._lock:
            return self._random.random() < self._rate


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
