"""PREPARE, EXECUTE and DEALLOCATE PREPARE; the statements live as long as the gateway."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True)
class PreparedStatement:
    """A statement with `?` for its parameters, kept under a name in a work group."""

    work_group: str
    name: str
    query: str
    description: str | None = None
    modified_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class PreparedStatements:
    """The prepared statements of all work groups; safe to use from several threads."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], PreparedStatement] = {}

    def put(self, statement: PreparedStatement) -> None:
        """Keep a statement; one of the same name is replaced."""
        with self._lock:
            self._held[statement.work_group, statement.name.lower()] = statement

    def get(self, work_group: str, name: str) -> PreparedStatement | None:
        """A work group's statement of that name, or None."""
        with self._lock:
            return self._held.get((work_group, name.lower()))

    def remove(self, work_group: str, name: str) -> bool:
        """Forget a statement; False when there was none."""
        with self._lock:
            return self._held.pop((work_group, name.lower()), None) is not None

    def of(self, work_group: str) -> list[PreparedStatement]:
        """A work group's statements, by name."""
        with self._lock:
            return [held for (group, _), held in sorted(self._held.items()) if group == work_group]


STATEMENTS = PreparedStatements()
