"""Faults that a test asks for: throttling, jobs that fail in many ways, answers that get lost."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from local_aws.faults import Throttle, check_types

_COUNTED = (
    "refuse_creates",
    "capacity_errors",
    "die",
    "internal_errors",
    "spot_interruptions",
    "truncate_outputs",
    "stuck",
    "lose_answers",
)
_TYPES: dict[str, tuple[type, ...]] = {
    **Throttle.TYPES,
    "describe_lag_seconds": (int, float),
    **dict.fromkeys(_COUNTED, (int,)),
}


class Faults:
    """The faults that are asked for now; none at first. Safe to use from several threads."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Ask for none."""
        self.ask({})

    def ask(self, wanted: dict[str, Any]) -> None:
        """Replace the faults.

        Args:
            wanted: throttle_rate (share of calls), seed, describe_lag_seconds, and how many of the
                next calls or jobs meet each of the others.

        Raises:
            ValueError: A key is not known, or its value is of the wrong type or out of range.
        """
        check_types(wanted, _TYPES)
        for name, value in wanted.items():
            if name not in Throttle.TYPES and value < 0:
                raise ValueError(f"{name} is {value!r}; 0 or more is expected")
        throttle = Throttle(wanted)
        with self._lock:
            self._throttle = throttle
            self._left = Counter({name: wanted.get(name, 0) for name in _COUNTED})
            self.describe_lag_seconds = float(wanted.get("describe_lag_seconds", 0.0))

    def throttles(self) -> bool:
        """Whether this call shall be throttled."""
        return self._throttle.meets()

    def takes(self, name: str) -> bool:
        """Whether this call or job meets the fault; it is counted down then."""
        with self._lock:
            if self._left[name] < 1:
                return False
            self._left[name] -= 1
            return True

    def of_job(self, *names: str) -> str | None:
        """The first of these faults that is asked for; a new job meets it, and no other."""
        return next((name for name in names if self.takes(name)), None)
