"""Faults that a test asks for: throttling, failing queries, expired results, delays."""

from __future__ import annotations

import random
import threading
from typing import Any

from local_aws.gateway.engine import QueryFailed

_KNOWN = {"throttle_rate", "seed", "fail_queries", "expire_results", "delay_seconds"}
_KNOWN_OF_QUERIES = {"match", "count", "error", "retryable"}


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
            ValueError: A key is not known.
        """
        queries = dict(wanted.get("fail_queries") or {})
        if unknown := (set(wanted) - _KNOWN) | (set(queries) - _KNOWN_OF_QUERIES):
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        with self._lock:
            self._random = random.Random(wanted.get("seed", 0))
            self._throttle_rate = float(wanted.get("throttle_rate", 0.0))
            self._failing = queries
            self._left = int(queries.get("count", 1)) if queries else 0
            self.expire_results = bool(wanted.get("expire_results", False))
            self.delay_seconds = float(wanted.get("delay_seconds", 0.0))

    def throttles(self) -> bool:
        """Whether this call shall be throttled."""
        with self._lock:
            return self._random.random() < self._throttle_rate

    def check_query(self, query: str) -> None:
        """Fail a statement that was asked to fail.

        Raises:
            QueryFailed: It holds the text that was asked for, and the count is not used up.
        """
        with self._lock:
            if self._left < 1 or self._failing.get("match", "") not in query:
                return
            self._left -= 1
            retryable = bool(self._failing.get("retryable", False))
            name = str(self._failing.get("error", "GENERIC_INTERNAL_ERROR"))
        raise QueryFailed(
            name, "a fault that was asked for", category=1, type=1, retryable=retryable
        )
