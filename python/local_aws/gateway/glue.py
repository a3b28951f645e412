"""Glue: moto's, in this process, with the few answers that it lacks or gives otherwise."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.request import Request
from moto.glue.responses import GlueResponse
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

Answer = tuple[int, dict[str, Any]]

_NAMES = ("DatabaseName", "TableName")


class Glue:
    """The catalogue; safe to use from several threads."""

    def __init__(self, region: str) -> None:
        """Start empty.

        Args:
            region: The region that clients name.
        """
        self._region = region
        # moto's own tables are plain dicts, and a commit is a comparison and a write.
        self._lock = threading.RLock()
        self._own: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "UpdateTable": self._update_table,
            "GetColumnStatisticsForTable": _no_statistics,
            "GetColumnStatisticsForPartition": _no_statistics,
            "UpdateColumnStatisticsForTable": _statistics_kept_by_nobody,
            "UpdateColumnStatisticsForPartition": _statistics_kept_by_nobody,
            "DeleteColumnStatisticsForTable": _nothing,
            "DeleteColumnStatisticsForPartition": _nothing,
            "GetUserDefinedFunctions": lambda _: (200, {"UserDefinedFunctions": []}),
        }

    def call(self, operation: str, request: dict[str, Any], user_agent: str) -> Answer:
        """Carry out an operation.

        Args:
            operation: Its name, as in X-Amz-Target.
            request: The request's members.
            user_agent: Who asks: Trino is shown a view as it looks for one.

        Returns:
            HTTP status, and the members of the answer or error.
        """
        _fold_names(request)
        segment = request.get("Segment") or {}
        if operation == "GetPartitions" and segment.get("SegmentNumber", 0) > 0:
            # The first segment holds them all.
            return 200, {"Partitions": []}
        with self._lock:
            own = self._own.get(operation)
            status, answer = own(request) if own else self._moto(operation, request)
        if operation in ("GetTable", "GetTables") and "aws-sdk-java" in user_agent:
            for table in [answer["Table"]] if "Table" in answer else answer.get("TableList", []):
                _show_view(table)
        return status, answer

    def _moto(self, operation: str, request: Mapping[str, Any]) -> Answer:
        environment = EnvironBuilder(
            method="POST",
            path="/",
            base_url=f"https://glue.{self._region}.amazonaws.com",
            data=json.dumps(request).encode(),
            headers=Headers(
                {
                    "X-Amz-Target": f"AWSGlue.{operation}",
                    "Content-Type": "application/x-amz-json-1.1",
                }
            ),
        ).get_environ()
        asked = Request(environment)
        try:
            status, _, body = GlueResponse.dispatch(asked, asked.url, asked.headers)
        except NotImplementedError:
            return 400, {
                "__type": "UnknownOperationException",
                "message": f"{operation} is not carried out here",
            }
        return int(status), json.loads(body or "{}")

    def _update_table(self, request: dict[str, Any]) -> Answer:
        """Refuse a version that is not the newest, as Glue does: Iceberg's commits rely on it."""
        expected = request.pop("VersionId", None)
        if expected is not None:
            found = {"DatabaseName": request["DatabaseName"], "Name": request["TableInput"]["Name"]}
            status, answer = self._moto("GetTable", found)
            if status != 200:
                return status, answer
            if str(answer["Table"].get("VersionId", expected)) != str(expected):
                return 400, {
                    "__type": "ConcurrentModificationException",
                    "message": "Update table failed due to concurrent modifications.",
                }
        return self._moto("UpdateTable", request)


def _fold_names(request: dict[str, Any]) -> None:
    """Databases and tables have lower case names, whatever is asked for."""
    for name in _NAMES:
        if isinstance(request.get(name), str):
            request[name] = request[name].lower()
    for holder in ("TableInput", "DatabaseInput"):
        if isinstance(request.get(holder), dict) and "Name" in request[holder]:
            request[holder]["Name"] = request[holder]["Name"].lower()
    if isinstance(request.get("Name"), str):
        request["Name"] = request["Name"].lower()


def _show_view(table: dict[str, Any]) -> None:
    """Trino knows its views by this comment, which a description of the table would hide."""
    parameters = table.get("Parameters") or {}
    if table.get("TableType") == "VIRTUAL_VIEW" and parameters.get("presto_view") == "true":
        table["Parameters"] = {**parameters, "comment": "Presto View"}
        table.pop("Description", None)


def _no_statistics(request: Mapping[str, Any]) -> Answer:
    return 200, {"ColumnStatisticsList": [], "Errors": []}


def _statistics_kept_by_nobody(request: Mapping[str, Any]) -> Answer:
    return 200, {"Errors": []}


def _nothing(request: Mapping[str, Any]) -> Answer:
    return 200, {}
