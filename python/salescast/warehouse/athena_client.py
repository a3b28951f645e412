"""Statements on Athena: sent, waited for, tried again where that helps, and counted."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from salescast.aws import error_code
from salescast.errors import RunError
from salescast.s3 import Prefix
from salescast.settings import Settings
from salescast.warehouse import Spent

_ATTEMPTS = 3
_LEAST_BILLED = 10_000_000
_BYTES_A_TB = 1_000_000_000_000
_NEWEST_EXECUTIONS = 150
_MOST_NEW = 5000
_EXECUTIONS_A_CALL = 50
_UNFINISHED = {"QUEUED", "RUNNING"}

_READERS: dict[str, Callable[[str], Any]] = {
    "date": date.fromisoformat,
    "integer": int,
    "bigint": int,
    "boolean": lambda text: text == "true",
}
"""How a value becomes Python's, by Athena's type; any other stays the text that Athena sends."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """The rows of a query that has few."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class AthenaClient:
    """Athena as the settings name it; may be used from several threads.

    Args:
        athena: A client of boto3.
        settings: The settings.
    """

    def __init__(self, athena: Any, settings: Settings) -> None:
        """Keep both; nothing is sent yet."""
        self._athena = athena
        self._settings = settings
        self._lock = threading.Lock()
        self._spent = Spent(0, 0, 0.0)

    @property
    def spent(self) -> Spent:
        """What all statements so far have cost."""
        return self._spent

    def count(self, *scanned_bytes: int) -> None:
        """Add statements to what was spent; Athena bills 10 MB at least for one that reads."""
        billed = sum(max(each, _LEAST_BILLED) for each in scanned_bytes if each)
        dollars = billed / _BYTES_A_TB * self._settings.athena_price_per_tb
        with self._lock:
            self._spent = Spent(
                self._spent.n_statements + len(scanned_bytes),
                self._spent.scanned_bytes + sum(scanned_bytes),
                self._spent.dollars + dollars,
            )

    def execute(self, sql: str) -> None:
        """Carry out a statement.

        Raises:
            RunError: It failed, also when it was tried again; holds Athena's reason.
        """
        self._finish(lambda: sql)

    def query(self, sql: str) -> Rows:
        """A query's names and its few rows.

        Raises:
            RunError: It failed, also when it was tried again, or its results are not there any
                more; holds Athena's reason.
        """
        execution_id = self._finish(lambda: sql)
        cells: list[list[str | None]] = []
        with self._still_there(execution_id):
            pages = self._athena.get_paginator("get_query_results").paginate(
                QueryExecutionId=execution_id
            )
            for page in pages:
                info = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
                cells += [
                    [cell.get("VarCharValue") for cell in row["Data"]]
                    for row in page["ResultSet"]["Rows"]
                ]
        readers = [_READERS.get(column["Type"], str) for column in info]
        return Rows(
            tuple(column["Name"] for column in info),
            # The first row holds the names.
            [
                tuple(
                    None if text is None else read(text)
                    for read, text in zip(readers, row, strict=True)
                )
                for row in cells[1:]
            ],
        )

    def unload(self, query: str, temp: Prefix, *, form: str) -> Prefix:
        """Write a query's rows to files below a new prefix; returns the prefix.

        Args:
            query: The query.
            temp: Where the new prefix is made.
            form: `JSON` (gzipped lines) or `PARQUET`.

        Raises:
            RunError: It failed, also when it was tried again; holds Athena's reason.
        """
        attempts: list[Prefix] = []

        def statement() -> str:
            # A prefix of its own for each attempt: a failed one leaves files behind.
            attempts.append(temp.below(secrets.token_hex(8)))
            return f"unload ({query}) to '{attempts[-1].uri}/' with (format = '{form}')"

        try:
            self._finish(statement)
        except BaseException:
            attempts[-1].delete_all()
            raise
        finally:
            for failed in attempts[:-1]:
                failed.delete_all()
        return attempts[-1]

    @contextmanager
    def counting_dbt(self) -> Iterator[None]:
        """Count the statements that dbt sends for this schema in the block, also if it fails."""
        before = set(self._newest_ids(_EXECUTIONS_A_CALL))
        try:
            yield
        finally:
            try:
                new = list(takewhile(lambda each: each not in before, self._newest_ids(_MOST_NEW)))
                self.count(*(_scanned(e) for e in self._executions(new) if self._is_of_dbt(e)))
            except (BotoCoreError, ClientError) as error:
                _log.warning("what the build has cost could not be told: %s", error)

    def stop_left_behind(self) -> int:
        """Stop the unfinished statements of dbt on this schema; returns their number.

        The caller holds the lock, so they are of a dbt that was killed, or of one that somebody
        started by hand and that must not build beside this command.
        """
        stopped = [
            each["QueryExecutionId"]
            for each in self._executions(list(self._newest_ids(_NEWEST_EXECUTIONS)))
            if each["Status"]["State"] in _UNFINISHED and self._is_of_dbt(each)
        ]
        for execution_id in stopped:
            self._athena.stop_query_execution(QueryExecutionId=execution_id)
        waiting = stopped
        while waiting:
            time.sleep(self._settings.athena_poll_seconds)
            waiting = [
                each["QueryExecutionId"]
                for each in self._executions(waiting)
                if each["Status"]["State"] in _UNFINISHED
            ]
        return len(stopped)

    def _newest_ids(self, most: int) -> Iterator[str]:
        """Ids of the work group's executions, newest first."""
        pages = self._athena.get_paginator("list_query_executions").paginate(
            WorkGroup=self._settings.athena_work_group,
            PaginationConfig={"MaxItems": most, "PageSize": _EXECUTIONS_A_CALL},
        )
        for page in pages:
            yield from page.get("QueryExecutionIds", [])

    def _executions(self, ids: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for first in range(0, len(ids), _EXECUTIONS_A_CALL):
            answer = self._athena.batch_get_query_execution(
                QueryExecutionIds=ids[first : first + _EXECUTIONS_A_CALL]
            )
            found += answer["QueryExecutions"]
        return found

    def _is_of_dbt(self, execution: dict[str, Any]) -> bool:
        database = execution.get("QueryExecutionContext", {}).get("Database")
        return database == self._settings.schema_prefix and '"app": "dbt"' in execution["Query"]

    def _finish(self, statement: Callable[[], str]) -> str:
        """Carry out a statement, again if Athena says that this may help; returns its id."""
        attempt = 1
        while True:
            sql = statement()
            execution = self._carry_out(sql)
            execution_id = str(execution["QueryExecutionId"])
            self.count(_scanned(execution))
            status = execution["Status"]
            if status["State"] == "SUCCEEDED":
                return execution_id
            reason = status.get("StateChangeReason", "no reason was given")
            if not status.get("AthenaError", {}).get("Retryable") or attempt == _ATTEMPTS:
                raise RunError(
                    f"Athena did not carry out a statement ({status['State']}): {reason}",
                    where=f"execution {execution_id}: {' '.join(sql.split())[:120]}",
                    fix="Athena's history shows all of it under this id. Then go on with "
                    "`salescast run --resume`.",
                )
            _log.warning("execution %s failed and is tried again: %s", execution_id, reason)
            time.sleep(2.0**attempt)
            attempt += 1

    def _carry_out(self, sql: str) -> dict[str, Any]:
        """Start a statement and wait for its end; stop it if this command is stopped."""
        settings = self._settings
        results: dict[str, Any] = {"OutputLocation": f"{settings.staging_uri}/"}
        if settings.kms_key_id:
            results["EncryptionConfiguration"] = {
                "EncryptionOption": "SSE_KMS",
                "KmsKey": settings.kms_key_id,
            }
        execution_id = self._athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": settings.schema_prefix},
            ResultConfiguration=results,
            WorkGroup=settings.athena_work_group,
        )["QueryExecutionId"]
        wait = min(0.1, settings.athena_poll_seconds)
        try:
            while True:
                with self._still_there(execution_id):
                    execution: dict[str, Any] = self._athena.get_query_execution(
                        QueryExecutionId=execution_id
                    )["QueryExecution"]
                if execution["Status"]["State"] not in _UNFINISHED:
                    return execution
                time.sleep(wait)
                wait = min(2 * wait, settings.athena_poll_seconds)
        except KeyboardInterrupt:
            # It is the interrupt that is told, also where the network is gone.
            with suppress(BotoCoreError, ClientError):
                self._athena.stop_query_execution(QueryExecutionId=execution_id)
            raise

    @contextmanager
    def _still_there(self, execution_id: str) -> Iterator[None]:
        """Tell it if Athena does not know a statement, or has no results of it, any more."""
        try:
            yield
        except ClientError as error:
            if error_code(error) != "InvalidRequestException":
                raise
            raise RunError(
                "A statement on Athena, or its results, are not there any more: "
                f"{error.response['Error'].get('Message', '')}",
                where=f"execution {execution_id}, {self._settings.staging_uri}",
                fix="See that nothing deletes results there within the hour. Then give the command "
                "again; a batch goes on with `salescast run --resume`.",
            ) from error


def _scanned(execution: dict[str, Any]) -> int:
    return int(execution.get("Statistics", {}).get("DataScannedInBytes", 0))
