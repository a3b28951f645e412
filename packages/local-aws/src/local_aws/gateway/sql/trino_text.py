"""A statement whose head is made anew and whose body stays as written, and its run on Trino."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from local_aws.gateway.engine import Column, Context, QueryFailed, TrinoResult
from local_aws.gateway.sql.tables import text_literal
from local_aws.gateway.sql.tokens import offset_of, position

_POSITION = re.compile(r"\bline (\d+):(\d+)")


@dataclass(frozen=True)
class Body:
    """The part of a statement that Trino gets as it was written: a query, mostly.

    statement: the whole statement.
    start, end: where the part is, in characters.
    """

    statement: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """The part itself."""
        return self.statement[self.start : self.end]


def run(
    context: Context,
    head: str,
    body: Body,
    tail: str = "",
    *,
    session: Mapping[str, str] | None = None,
) -> TrinoResult:
    """Run `head + body + tail`, with the request's parameters.

    Raises:
        QueryFailed: Positions in the message count in the statement as the user wrote it.
    """
    sql = head + body.text + tail
    shown = sql
    if context.parameters:
        sql = f"EXECUTE IMMEDIATE {text_literal(sql)} USING {', '.join(context.parameters)}"
    try:
        return context.engine.trino(sql, schema=context.database, session=dict(session or {}))
    except QueryFailed as failure:
        if context.parameters:
            # Trino counts in a text inside a text here; no position is better than a wrong one.
            raise _with_message(failure, _POSITION.sub("line 1:1", failure.message)) from failure
        message = _POSITION.sub(
            lambda match: _moved(match, shown, len(head), body), failure.message
        )
        raise _with_message(failure, message) from failure


def _moved(match: re.Match[str], sent: str, start_sent: int, body: Body) -> str:
    line, column = int(match.group(1)), int(match.group(2))
    if line > sent.count("\n") + 1:
        return match.group()
    into_body = offset_of(sent, line, column) - start_sent
    if not 0 <= into_body <= len(body.text):
        return "line 1:1"
    line, column = position(body.statement, body.start + into_body)
    return f"line {line}:{column}"


def _with_message(failure: QueryFailed, message: str) -> QueryFailed:
    return QueryFailed(
        name=failure.name,
        message=message,
        category=failure.category,
        type=failure.type,
        retryable=failure.retryable,
    )


def columns_of(context: Context, body: Body) -> list[Column]:
    """Names and types of what a query gives, without running it.

    Raises:
        QueryFailed: The query is wrong.
    """
    return run(context, "SELECT * FROM (", body, "\n) LIMIT 0").columns


def without_rows(result: TrinoResult) -> TrinoResult:
    """What a statement that writes shows: the number of rows as update count, no rows."""
    return replace(result, rows=[])
