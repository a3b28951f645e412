"""Query executions: started, carried out in threads of their own, kept until the gateway ends."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from local_aws.gateway.engine import Context, Outcome, QueryFailed, TrinoResult
from local_aws.gateway.faults import Faults
from local_aws.gateway.results import write_results
from local_aws.gateway.sql import execute
from local_aws.gateway.trino_client import TrinoClient

State = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
FINAL: frozenset[State] = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})

_ACTIVE_QUERIES = 20
_log = logging.getLogger(__name__)


@dataclass
class Execution:
    """One statement and what became of it."""

    execution_id: str
    query: str
    database: str | None
    catalog: str
    output_location: str
    work_group: str
    parameters: tuple[str, ...]
    submitted_at: datetime
    state: State = "QUEUED"
    completed_at: datetime | None = None
    seconds: float = 0.0
    outcome: Outcome | None = None
    failure: QueryFailed | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def asked(self) -> tuple[object, ...]:
        """What the request was."""
        where = (self.database, self.catalog, self.output_location, self.work_group)
        return (self.query, self.parameters, *where)


class _Engine:
    """Trino, Glue and S3 for one execution, which can be cancelled."""

    def __init__(self, trino: TrinoClient, glue: Any, s3: Any, cancelled: threading.Event) -> None:
        self.glue = glue
        self.s3 = s3
        self._trino = trino
        self._cancelled = cancelled
        self.scanned_bytes = 0

    def trino(
        self,
        sql: str,
        *,
        schema: str | None = None,
        session: Mapping[str, str] = {},
    ) -> TrinoResult:
        result = self._trino.run(sql, schema=schema, session=session, cancelled=self._cancelled)
        self.scanned_bytes += result.scanned_bytes
        return result


class Executions:
    """All executions of a gateway, oldest first; safe to use from several threads."""

    def __init__(self, trino: TrinoClient, glue: Any, s3: Any, faults: Faults) -> None:
        """Keep what statements run on."""
        self._trino = trino
        self._glue = glue
        self._s3 = s3
        self._faults = faults
        self._held: dict[str, Execution] = {}
        self._by_token: dict[str, Execution] = {}
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(_ACTIVE_QUERIES, thread_name_prefix="query")

    def start(
        self,
        query: str,
        *,
        database: str | None,
        catalog: str,
        output_location: str,
        work_group: str,
        parameters: Sequence[str] = (),
        token: str | None = None,
    ) -> str:
        """Start a statement; returns its id. The same token gives the same execution.

        Raises:
            ValueError: The token belongs to a request with other members.
        """
        execution = Execution(
            execution_id=str(uuid.uuid4()),
            query=query,
            database=database.lower() if database else None,
            catalog=catalog,
            output_location=output_location,
            work_group=work_group,
            parameters=tuple(parameters),
            submitted_at=datetime.now(UTC),
        )
        with self._changed:
            if token is not None and (started := self._by_token.get(token)):
                if started.asked != execution.asked:
                    raise ValueError("Idempotent parameters do not match")
                return started.execution_id
            self._held[execution.execution_id] = execution
            if token is not None:
                self._by_token[token] = execution
        self._pool.submit(self._carry_out, execution)
        return execution.execution_id

    def get(self, execution_id: str) -> Execution | None:
        """An execution by its id."""
        with self._changed:
            return self._held.get(execution_id)

    def wait(self, execution: Execution, seconds: float) -> None:
        """Wait until an execution has ended, at most that long."""
        with self._changed:
            self._changed.wait_for(lambda: execution.state in FINAL, timeout=seconds)

    def stop(self, execution: Execution) -> None:
        """Cancel an execution; nothing happens if it has ended."""
        with self._changed:
            execution.cancelled.set()
            if execution.state == "QUEUED":
                self._end(execution, "CANCELLED")

    def forget(self, work_group: str) -> None:
        """Drop a work group's executions."""
        with self._changed:
            for each in self.of(work_group):
                self.stop(each)
                del self._held[each.execution_id]

    def of(self, work_group: str) -> list[Execution]:
        """A work group's executions, newest first."""
        with self._changed:
            found = [each for each in self._held.values() if each.work_group == work_group]
        return found[::-1]

    def _carry_out(self, execution: Execution) -> None:
        with self._changed:
            if execution.state != "QUEUED":
                return
            execution.state = "RUNNING"
        engine = _Engine(self._trino, self._glue, self._s3, execution.cancelled)
        started = time.monotonic()
        state: State = "SUCCEEDED"
        try:
            if execution.cancelled.wait(self._faults.delay_seconds):
                raise QueryFailed("USER_CANCELED", "Query was canceled")
            self._faults.check_query(execution.query)
            outcome = execute(
                execution.query,
                Context(
                    database=execution.database,
                    output_location=execution.output_location,
                    execution_id=execution.execution_id,
                    engine=engine,
                    parameters=execution.parameters,
                    work_group=execution.work_group,
                ),
            )
            write_results(self._s3, outcome, execution.output_location, execution.execution_id)
            execution.outcome = outcome
        except QueryFailed as failure:
            execution.failure = failure
            state = "CANCELLED" if execution.cancelled.is_set() else "FAILED"
        except Exception as error:
            _log.exception("execution %s", execution.execution_id)
            execution.failure = QueryFailed(
                "GENERIC_INTERNAL_ERROR", f"{type(error).__name__}: {error}", category=1, type=1
            )
            state = "FAILED"
        execution.seconds = time.monotonic() - started
        if execution.outcome is not None and execution.outcome.result is not None:
            execution.outcome.result.scanned_bytes = engine.scanned_bytes
        with self._changed:
            self._end(execution, state)

    def _end(self, execution: Execution, state: State) -> None:
        execution.state = state
        execution.completed_at = datetime.now(UTC)
        self._changed.notify_all()
