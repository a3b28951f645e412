"""Trino's REST protocol: one statement, polled to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import requests

from local_aws.gateway.engine import Column, QueryFailed, TrinoResult, error_type
from local_aws.gateway.sql import types
from local_aws.gateway.sql.tables import CATALOG

_TIMEOUT = 60
# Trino's protocol: with these it is to be asked again.
_TRY_AGAIN = (429, 502, 503, 504)
_PAUSE = 0.1


class TrinoClient:
    """Runs statements on one Trino."""

    def __init__(self, url: str) -> None:
        """Keep the address, for instance http://127.0.0.1:8080."""
        self._url = url.rstrip("/")

    def run(
        self,
        sql: str,
        *,
        schema: str | None,
        session: Mapping[str, str],
        cancelled: threading.Event,
    ) -> TrinoResult:
        """Run a statement; all rows are kept in memory.

        Raises:
            QueryFailed: Trino's own error by its name, a cancel, or Trino cannot be reached.
        """
        headers = {
            "X-Trino-User": "athena",
            "X-Trino-Source": "local-athena",
            "X-Trino-Catalog": CATALOG,
            "X-Trino-Time-Zone": "UTC",
            # Without it Trino cuts timestamps to milliseconds.
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
        }
        if schema:
            headers["X-Trino-Schema"] = schema
        if session:
            headers["X-Trino-Session"] = ",".join(
                f"{name}={quote(value)}" for name, value in session.items()
            )
        columns: list[Column] = []
        rows: list[list[Any]] = []
        with requests.Session() as http:
            # No proxy or password of the environment is meant for this.
            http.trust_env = False
            address = f"{self._url}/v1/statement"
            page = self._page(http, "POST", address, cancelled, headers, sql.encode())
            try:
                while True:
                    if cancelled.is_set():
                        raise _cancelled()
                    if "error" in page:
                        raise _failure(page["error"])
                    columns = columns or [_column(each) for each in page.get("columns", [])]
                    rows.extend(page.get("data", []))
                    if (following := page.get("nextUri")) is None:
                        break
                    page = self._page(http, "GET", following, cancelled)
            except BaseException:
                # Nobody would fetch its rows, and one that writes would go on.
                self._cancel(http, page)
                raise
        return TrinoResult(
            columns=columns,
            rows=rows,
            update_count=page.get("updateCount"),
            scanned_bytes=int(page.get("stats", {}).get("physicalInputBytes", 0)),
        )

    def _page(
        self,
        http: requests.Session,
        method: str,
        url: str,
        cancelled: threading.Event,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> dict[str, Any]:
        deadline = time.monotonic() + _TIMEOUT
        try:
            while True:
                answer = http.request(
                    method, url, headers=dict(headers), data=body, timeout=_TIMEOUT
                )
                if answer.status_code not in _TRY_AGAIN or time.monotonic() > deadline:
                    break
                if cancelled.wait(_PAUSE):
                    raise _cancelled()
            answer.raise_for_status()
            page: dict[str, Any] = answer.json()
        except requests.RequestException as error:
            raise QueryFailed(
                "GENERIC_INTERNAL_ERROR",
                f"Trino does not answer ({type(error).__name__}); see `python -m local_aws status`",
                category=1,
                type=1,
                # Trino starts a statement when its first page is asked for; one that was started
                # may have written.
                retryable=method == "POST",
            ) from error
        return page

    def _cancel(self, http: requests.Session, page: Mapping[str, Any]) -> None:
        if following := page.get("nextUri"):
            with suppress(requests.RequestException):
                http.delete(following, timeout=_TIMEOUT)


def _column(column: Mapping[str, Any]) -> Column:
    return Column(column["name"], types.base_name(column["type"]), column["type"])


def _cancelled() -> QueryFailed:
    return QueryFailed("USER_CANCELED", "Query was canceled")


def _failure(error: Mapping[str, Any]) -> QueryFailed:
    name = str(error.get("errorName", "GENERIC_INTERNAL_ERROR"))
    category = 2 if error.get("errorType") == "USER_ERROR" else 1
    return QueryFailed(
        name,
        str(error.get("message", "")),
        category=category,
        type=error_type(name, category),
        retryable=category == 1,
    )
