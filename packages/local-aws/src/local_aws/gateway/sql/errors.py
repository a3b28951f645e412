"""The errors that Athena answers a statement with, as exceptions of the gateway's seam."""

from __future__ import annotations

from local_aws.gateway.engine import QueryFailed

_USER = 2
# Athena's error catalogue: 1000 is an error of the user, 1003 a DDL task that failed.
_USER_ERROR = 1000
_DDL_TASK_FAILED = 1003


def refusal(name: str, message: str, *, error_type: int = _USER_ERROR) -> QueryFailed:
    """An error of the user, shown by Athena as `NAME: message`."""
    return QueryFailed(name=name, message=message, category=_USER, type=error_type, retryable=False)


def not_supported(message: str) -> QueryFailed:
    """Something that the engine understands and does not do."""
    return refusal("NOT_SUPPORTED", message)


def syntax_error(line: int, column: int, message: str) -> QueryFailed:
    """What Athena's query parser (Trino's) says; line and column from 1."""
    return refusal("SYNTAX_ERROR", f"line {line}:{column}: {message}")


def parse_exception(line: int, column: int, message: str) -> QueryFailed:
    """What Athena's DDL parser (Hive's) says, FAILED: ParseException …; line and column from 1."""
    # Hive counts columns from 0.
    return refusal("FAILED", f"ParseException line {line}:{column - 1} {message}")


def semantic_exception(message: str) -> QueryFailed:
    """What Hive's DDL says of what parses and cannot be, FAILED: SemanticException …."""
    return refusal("FAILED", f"SemanticException {message}")


def ddl_task_failed(message: str) -> QueryFailed:
    """What Hive's DDL says when the catalogue refuses, for instance a table that exists."""
    return refusal(
        "FAILED",
        f"Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. {message}",
        error_type=_DDL_TASK_FAILED,
    )


def not_reproduced(what: str) -> QueryFailed:
    """Something that Athena has and the local one does not carry out."""
    return not_supported(f"{what} exists on Athena and is not carried out by the local Athena")
