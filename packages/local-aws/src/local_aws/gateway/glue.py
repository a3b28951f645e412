"""Glue: moto's, in this process, with what it lacks, gives otherwise or would ignore."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.request import Request
from moto.glue.responses import GlueResponse
from moto.glue.utils import PartitionFilter
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from local_aws.gateway.sql.tables import UNLOAD_DATABASE
from local_aws.service_requests import Requests, given

Answer = tuple[int, dict[str, Any]]

# Each operation with the members that are looked at, beside CatalogId; there is one catalogue.
_OPERATIONS = {
    "CreateDatabase": "DatabaseInput",
    "GetDatabase": "Name",
    "GetDatabases": "NextToken MaxResults",
    "UpdateDatabase": "Name DatabaseInput",
    "DeleteDatabase": "Name",
    "CreateTable": "DatabaseName TableInput",
    "GetTable": "DatabaseName Name",
    "GetTables": "DatabaseName Expression NextToken MaxResults",
    "UpdateTable": "DatabaseName TableInput VersionId SkipArchive",
    "DeleteTable": "DatabaseName Name",
    "BatchDeleteTable": "DatabaseName TablesToDelete",
    "GetTableVersion": "DatabaseName TableName VersionId",
    "GetTableVersions": "DatabaseName TableName NextToken MaxResults",
    "DeleteTableVersion": "DatabaseName TableName VersionId",
    "CreatePartition": "DatabaseName TableName PartitionInput",
    "GetPartition": "DatabaseName TableName PartitionValues",
    "GetPartitions": (
        "DatabaseName TableName Expression Segment ExcludeColumnSchema NextToken MaxResults"
    ),
    "UpdatePartition": "DatabaseName TableName PartitionValueList PartitionInput",
    "DeletePartition": "DatabaseName TableName PartitionValues",
    "BatchCreatePartition": "DatabaseName TableName PartitionInputList",
    "BatchGetPartition": "DatabaseName TableName PartitionsToGet",
    "BatchUpdatePartition": "DatabaseName TableName Entries",
    "BatchDeletePartition": "DatabaseName TableName PartitionsToDelete",
    "GetColumnStatisticsForTable": "DatabaseName TableName ColumnNames",
    "GetColumnStatisticsForPartition": "DatabaseName TableName PartitionValues ColumnNames",
    "GetUserDefinedFunctions": "DatabaseName Pattern FunctionType NextToken MaxResults",
}
# Trino writes statistics of each column with each table. Nobody keeps them, so that nobody may
# plan by old ones; anybody else is refused, who might rely on them.
_STATISTICS_OF_TRINO = {
    "UpdateColumnStatisticsForTable",
    "UpdateColumnStatisticsForPartition",
    "DeleteColumnStatisticsForTable",
    "DeleteColumnStatisticsForPartition",
}
_LINKS_AND_VIEWS = (
    "DatabaseInput.TargetDatabase",
    "DatabaseInput.FederatedDatabase",
    "TableInput.TargetTable",
    "TableInput.FederatedTable",
    "TableInput.ViewDefinition",
)
# What an operation lists, and how many of them a page holds that asks for no number.
_LISTS = {
    "GetDatabases": ("DatabaseList", 100),
    "GetTables": ("TableList", 100),
    "GetTableVersions": ("TableVersions", 100),
    "GetPartitions": ("Partitions", 1000),
}
# A text in an expression, keys that are texts, and the value of a key that is null.
_TEXT = "'(?:[^']|'')*'"
_TEXTS = ("char", "string", "varchar")
_NULL = "__HIVE_DEFAULT_PARTITION__"


class Glue:
    """The catalogue; safe to use from several threads."""

    def __init__(self, region: str) -> None:
        """Start empty.

        Args:
            region: The region that clients name.
        """
        self._region = region
        self._requests = Requests("glue")
        # moto's own tables are plain dicts, and a commit is a comparison and a write.
        self._lock = threading.RLock()
        self._own: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "GetTables": self._get_tables,
            "UpdateTable": self._update_table,
            "GetTableVersions": self._get_table_versions,
            "DeleteTableVersion": self._delete_table_version,
            "GetPartitions": self._get_partitions,
            "UpdatePartition": self._update_partition,
            "BatchUpdatePartition": self._batch_update_partition,
            "GetColumnStatisticsForTable": _no_statistics,
            "GetColumnStatisticsForPartition": _no_statistics,
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
        of_trino = "aws-sdk-java" in user_agent
        if of_trino and operation in _STATISTICS_OF_TRINO:
            return 200, {}
        if operation not in _OPERATIONS:
            return _error("UnknownOperationException", f"{operation} is not carried out here")
        if problem := self._problem(operation, request):
            return _error("InvalidInputException", problem)
        _fold_names(request)
        own = self._own.get(operation)
        with self._lock:
            status, answer = own(request) if own else self._moto(operation, request)
        if status == 200 and operation == "GetDatabases" and not of_trino:
            # Where Trino writes what is unloaded is nobody else's.
            listed = answer["DatabaseList"]
            answer["DatabaseList"] = [each for each in listed if each["Name"] != UNLOAD_DATABASE]
        if status == 200 and operation in _LISTS:
            status, answer = _page(operation, request, answer)
        if status == 200 and of_trino:
            for table in [answer["Table"]] if "Table" in answer else answer.get("TableList", []):
                _show_view(table)
        return status, answer

    def _problem(self, operation: str, request: dict[str, Any]) -> str | None:
        if problem := self._requests.problem(operation, request):
            return problem
        known = {"CatalogId", *_OPERATIONS[operation].split()}
        unknown = sorted(set(request) - known) + given(request, *_LINKS_AND_VIEWS)
        if unknown:
            return f"{operation} with {', '.join(unknown)} is not carried out by the local Glue"
        return None

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
        status, _, body = GlueResponse.dispatch(asked, asked.url, asked.headers)
        return int(status), json.loads(body or "{}")

    def _table(self, request: Mapping[str, Any], name: str) -> Answer:
        return self._moto("GetTable", {"DatabaseName": request["DatabaseName"], "Name": name})

    def _get_tables(self, request: dict[str, Any]) -> Answer:
        """Match whole names, as Glue does; moto matches the beginning."""
        expression = request.get("Expression")
        status, answer = self._moto("GetTables", {"DatabaseName": request["DatabaseName"]})
        if status != 200 or not expression:
            return status, answer
        try:
            # A star alone stands for any text, as in Hive's SHOW TABLES.
            pattern = re.compile(re.sub(r"(?<![.\])])\*", ".*", expression))
        except re.error as error:
            return _error("InvalidInputException", f"Invalid expression {expression!r}: {error}")
        found = [table for table in answer["TableList"] if pattern.fullmatch(table["Name"])]
        return 200, {"TableList": found}

    def _update_table(self, request: dict[str, Any]) -> Answer:
        """Refuse a version that is not the newest, as Glue does: Iceberg's commits rely on it."""
        expected, skip_archive = request.get("VersionId"), request.get("SkipArchive", False)
        status, answer = self._table(request, request["TableInput"]["Name"])
        if status != 200:
            return status, answer
        newest = answer["Table"]["VersionId"]
        if expected not in (None, newest):
            return _error(
                "ConcurrentModificationException",
                "Update table failed due to concurrent modifications.",
            )
        changed = {name: request[name] for name in ("DatabaseName", "TableInput")}
        status, answer = self._moto("UpdateTable", changed)
        if status == 200 and skip_archive:
            self._moto(
                "DeleteTableVersion",
                {
                    "DatabaseName": request["DatabaseName"],
                    "TableName": request["TableInput"]["Name"],
                    "VersionId": newest,
                },
            )
        return status, answer

    def _get_table_versions(self, request: dict[str, Any]) -> Answer:
        """The newest first."""
        status, answer = self._moto("GetTableVersions", request)
        if status == 200:
            answer["TableVersions"].sort(key=lambda each: -int(each["VersionId"]))
        return status, answer

    def _delete_table_version(self, request: dict[str, Any]) -> Answer:
        """Refuse what moto would break on: a version that is not there, and the newest."""
        status, answer = self._get_table_versions(request)
        if status != 200:
            return status, answer
        held = [each["VersionId"] for each in answer["TableVersions"]]
        if request["VersionId"] not in held:
            return _error("EntityNotFoundException", "Table version not found.")
        if request["VersionId"] == held[0]:
            return _error("InvalidInputException", "The newest version cannot be deleted.")
        return self._moto("DeleteTableVersion", request)

    def _get_partitions(self, request: dict[str, Any]) -> Answer:
        """Filter here: moto does not know keys of types with a length, as varchar(1)."""
        expression = _with_angles(request.pop("Expression", ""))
        status, answer = self._moto("GetPartitions", request)
        if status != 200:
            return status, answer
        if request.get("Segment", {}).get("SegmentNumber", 0) > 0:
            # The first segment holds them all.
            return 200, {"Partitions": []}
        _, table = self._table(request, request["TableName"])
        keys = [
            {"Name": key["Name"], "Type": key["Type"].partition("(")[0]}
            for key in table["Table"].get("PartitionKeys", [])
        ]
        holds = PartitionFilter(expression, SimpleNamespace(versions={"": {"PartitionKeys": keys}}))
        compared = [key["Type"] not in _TEXTS and _names(expression, key["Name"]) for key in keys]
        try:
            found = [
                partition
                for partition in answer["Partitions"]
                if not _null_is_compared(compared, partition["Values"])
                and holds(SimpleNamespace(partition_input=partition))
            ]
        except JsonRESTError as error:
            return _error(error.error_type, error.message)
        if request.get("ExcludeColumnSchema"):
            for partition in found:
                partition.get("StorageDescriptor", {}).pop("Columns", None)
        return 200, {"Partitions": found}

    def _update_partition(self, request: dict[str, Any]) -> Answer:
        """Refuse the values of another partition; moto has deleted the old one before it does."""
        values = request["PartitionInput"].get("Values", request["PartitionValueList"])
        if values != request["PartitionValueList"]:
            table = {name: request[name] for name in ("DatabaseName", "TableName")}
            status, _ = self._moto("GetPartition", table | {"PartitionValues": values})
            if status == 200:
                return _error("AlreadyExistsException", "Partition already exists.")
        request["PartitionInput"]["Values"] = values
        return self._moto("UpdatePartition", request)

    def _batch_update_partition(self, request: dict[str, Any]) -> Answer:
        errors = []
        table = {name: request[name] for name in ("DatabaseName", "TableName")}
        status, answer = self._table(request, request["TableName"])
        if status != 200:
            return status, answer
        for entry in request["Entries"]:
            status, answer = self._update_partition(table | entry)
            if status != 200:
                detail = {"ErrorCode": answer["__type"], "ErrorMessage": answer["message"]}
                values = entry["PartitionValueList"]
                errors.append({"PartitionValueList": values, "ErrorDetail": detail})
        return 200, {"Errors": errors} if errors else {}


def _with_angles(expression: str) -> str:
    """The expression with `<>` for `!=`, which moto does not know."""
    return re.sub(rf"({_TEXT})|!=", lambda found: found[1] or "<>", expression)


def _names(expression: str, key: str) -> bool:
    """Whether the expression is about the key."""
    return re.search(rf"\b{re.escape(key)}\b", re.sub(_TEXT, "", expression)) is not None


def _null_is_compared(compared: list[bool], values: list[str]) -> bool:
    """Whether one of the keys that are compared is null, of which no comparison holds."""
    return any(is_so and v == _NULL for is_so, v in zip(compared, values, strict=False))


def _error(code: str, message: str) -> Answer:
    return 400, {"__type": code, "message": message}


def _page(operation: str, request: Mapping[str, Any], answer: dict[str, Any]) -> Answer:
    name, size = _LISTS[operation]
    token, size = request.get("NextToken", "0"), int(request.get("MaxResults", size))
    if not token.isdigit():
        return _error("InvalidInputException", "The NextToken is not valid.")
    start, found = int(token), answer[name]
    page: dict[str, Any] = {name: found[start : start + size]}
    if start + size < len(found):
        page["NextToken"] = str(start + size)
    return 200, page


def _fold_names(request: dict[str, Any]) -> None:
    """Databases and tables have lower case names, whatever is asked for."""
    for holder in (request, request.get("TableInput", {}), request.get("DatabaseInput", {})):
        for name in ("DatabaseName", "TableName", "Name"):
            if name in holder:
                holder[name] = holder[name].lower()
    if "TablesToDelete" in request:
        request["TablesToDelete"] = [name.lower() for name in request["TablesToDelete"]]


def _show_view(table: dict[str, Any]) -> None:
    """Trino knows its views by this comment, which a description of the table would hide."""
    parameters = table.get("Parameters") or {}
    if table.get("TableType") == "VIRTUAL_VIEW" and parameters.get("presto_view") == "true":
        table["Parameters"] = {**parameters, "comment": "Presto View"}
        table.pop("Description", None)


def _no_statistics(request: Mapping[str, Any]) -> Answer:
    return 200, {"ColumnStatisticsList": [], "Errors": []}
