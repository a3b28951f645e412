"""Faults that a test asks for: throttling, failing queries, expired results, delays."""

from __future__ import annotations

import threading
from typing import Any

from local_aws.faults import Throttle, check_types
from local_aws.gateway.engine import QueryFailed, error_type

_TYPES: dict[str, tuple[type, ...]] = {
    **Throttle.TYPES,
    "fail_queries": (dict,),
    "expire_results": (bool,),
    "delay_seconds": (int, float),
}
_TYPES_OF_QUERIES: dict[str, tuple[type, ...]] = {
    "match": (str,),
    "count": (int,),
    "error": (str,),
    "retryable": (bool,),
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
            wanted: throttle_rate (share of Athena calls), seed, fail_queries (match, count, error,
                retryable), expire_results, delay_seconds before each query.

        Raises:
            ValueError: A key is not known, or its value is of the wrong type or out of range.
        """
        check_types(wanted, _TYPES)
        queries = wanted.get("fail_queries", {})
        check_types(queries, _TYPES_OF_QUERIES)
        throttle = Throttle(wanted)
        with self._lock:
            self._throttle = throttle
            self._failing = queries
            self._left = queries.get("count", 1) if queries else 0
            self.expire_results = wanted.get("expire_results", False)
            self.delay_seconds = float(wanted.get("delay_seconds", 0.0))

    def throttles(self) -> bool:
        """Whether this call shall be throttled."""
        return self._throttle.meets()

    def check_query(self, query: str) -> None:
        """Fail a statement that was asked to fail.

        Raises:
            QueryFailed: It holds the text that was asked for, and the count is not used up.
        """
        with self._lock:
            if self._left < 1 or self._failing.get("match", "") not in query:
                return
            self._left -= 1
            retryable = self._failing.get("retryable", False)
            name = self._failing.get("error", "GENERIC_INTERNAL_ERROR")
        raise QueryFailed(
            name,
            "a fault that was asked for",
            category=1,
            type=error_type(name, 1),
            retryable=retryable,
        )
