"""The seam between the API and the SQL: what a statement is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Column:
    """A column of a result: its name, its type as Athena names it, its whole type in Trino."""

    name: str
    type: str
    trino_type: str


@dataclass
class TrinoResult:
    """What a statement gave: rows as decoded JSON, one list a row."""

    columns: list[Column]
    rows: list[list[Any]]
    update_count: int | None
    scanned_bytes: int


def error_type(name: str, category: int) -> int:
    """Athena's number of an error; dbt tells Iceberg's conflict of commits by it."""
    if name == "ICEBERG_COMMIT_ERROR":
        return 233
    return 1000 if category == 2 else 1


class QueryFailed(Exception):
    """A statement that ended as FAILED; category 1 is the system's fault, 2 the user's."""

    def __init__(
        self,
        name: str,
        message: str,
        category: int = 2,
        type: int = 1000,
        retryable: bool = False,
    ) -> None:
        """Keep what AthenaError shows."""
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.category = category
        self.type = type
        self.retryable = retryable


class Engine(Protocol):
    """What carries a statement out: Trino, Glue and S3, the last two as botocore clients."""

    @property
    def glue(self) -> Any:
        """Client of Glue."""

    @property
    def s3(self) -> Any:
        """Client of S3."""

    def trino(
        self,
        sql: str,
        *,
        schema: str | None = None,
        session: Mapping[str, str] = {},
    ) -> TrinoResult:
        """Run a statement to its end.

        Raises:
            QueryFailed: Trino refused it, it failed or it was cancelled.
        """


@dataclass(frozen=True)
class Context:
    """Where a statement runs; `output_location` ends in a slash."""

    database: str | None
    output_location: str
    execution_id: str
    engine: Engine
    parameters: Sequence[str] = ()
    work_group: str = "primary"


@dataclass
class Outcome:
    """What became of a statement; `manifest` holds the S3 URIs of the objects that it wrote."""

    statement_type: Literal["DML", "DDL", "UTILITY"]
    substatement_type: str
    result: TrinoResult | None
    manifest: list[str] | None

    @property
    def is_query(self) -> bool:
        """Whether it gives the rows of a query: with a header in front, and as CSV in S3."""
        return self.substatement_type == "SELECT"
