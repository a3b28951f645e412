"""Athena's operations: one function each, requests checked against botocore's own model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from local_aws.gateway.executions import FINAL, Execution, Executions
from local_aws.gateway.faults import Faults
from local_aws.gateway.results import (
    column_info,
    manifest_location,
    result_location,
    texts_of,
)
from local_aws.gateway.sql.prepared import STATEMENTS, PreparedStatement
from local_aws.gateway.sql.rules import MAX_QUERY_BYTES
from local_aws.service_requests import Requests, given

_LONG_POLL_SECONDS = 0.5
_PAGE = 1000
_LIST_PAGE = 50
_ENGINE = "Athena engine version 3"
_ENGINE_VERSION = {"SelectedEngineVersion": _ENGINE, "EffectiveEngineVersion": _ENGINE}
# Members that Athena acts on and the gateway does not; those of a work group's configuration that
# it does act on are fewer than the others.
_NOT_CARRIED_OUT = {
    "StartQueryExecution": (
        "ResultConfiguration.EncryptionConfiguration",
        "ResultConfiguration.ExpectedBucketOwner",
        "ResultConfiguration.AclConfiguration",
        "EngineConfiguration",
    ),
    "CreateWorkGroup": (
        "Configuration.ResultConfiguration.EncryptionConfiguration",
        "Configuration.ResultConfiguration.ExpectedBucketOwner",
        "Configuration.ResultConfiguration.AclConfiguration",
        "Tags",
    ),
}
_CONFIGURATION = {
    "ResultConfiguration",
    "EnforceWorkGroupConfiguration",
    "PublishCloudWatchMetricsEnabled",
    "RequesterPaysEnabled",
    "EngineVersion",
}
_CATALOG = {"Name": "AwsDataCatalog", "Type": "GLUE", "Description": "The local Glue"}

Answer = dict[str, Any]


class AthenaError(Exception):
    """An error that Athena answers a call with, by its code."""

    def __init__(self, code: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code
        self.message = message


def _invalid(message: str) -> AthenaError:
    return AthenaError("InvalidRequestException", message)


def _not_carried_out(*what: str) -> AthenaError:
    return _invalid(f"{', '.join(what)} is not carried out by the local Athena")


class Athena:
    """The API of one Athena: executions, work groups, the data catalogue."""

    def __init__(self, executions: Executions, glue: Any, s3: Any, faults: Faults) -> None:
        """Keep what the operations work on; there is a work group `primary` at first."""
        self._executions = executions
        self._glue = glue
        self._s3 = s3
        self._faults = faults
        self._work_groups: dict[str, dict[str, Any]] = {"primary": _work_group("primary", {}, "")}
        self._requests = Requests("athena")
        self._operations: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "StartQueryExecution": self._start_query_execution,
            "GetQueryExecution": self._get_query_execution,
            "BatchGetQueryExecution": self._batch_get_query_execution,
            "GetQueryResults": self._get_query_results,
            "StopQueryExecution": self._stop_query_execution,
            "ListQueryExecutions": self._list_query_executions,
            "GetWorkGroup": self._get_work_group,
            "ListWorkGroups": self._list_work_groups,
            "CreateWorkGroup": self._create_work_group,
            "DeleteWorkGroup": self._delete_work_group,
            "CreatePreparedStatement": self._create_prepared_statement,
            "GetPreparedStatement": self._get_prepared_statement,
            "ListPreparedStatements": self._list_prepared_statements,
            "UpdatePreparedStatement": self._update_prepared_statement,
            "DeletePreparedStatement": self._delete_prepared_statement,
            "GetDataCatalog": self._get_data_catalog,
            "ListDataCatalogs": self._list_data_catalogs,
            "GetDatabase": self._get_database,
            "ListDatabases": self._list_databases,
            "GetTableMetadata": self._get_table_metadata,
            "ListTableMetadata": self._list_table_metadata,
        }

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Carry out an operation.

        Args:
            operation: Its name, as in X-Amz-Target.
            request: The request's members.

        Returns:
            The answer's members.

        Raises:
            AthenaError: The operation or a member is not known, or it is refused.
        """
        if self._faults.throttles():
            raise AthenaError("ThrottlingException", "Rate exceeded")
        if operation not in self._operations:
            raise AthenaError("UnknownOperationException", f"{operation} is not carried out here")
        if problem := self._requests.problem(operation, request):
            raise _invalid(problem)
        if unable := given(request, *_NOT_CARRIED_OUT.get(operation, ())):
            raise _not_carried_out(*unable)
        if "CatalogName" in request:
            _check_catalog(request["CatalogName"])
        if operation != "CreateWorkGroup" and "WorkGroup" in request:
            self._group(request["WorkGroup"])
        return self._operations[operation](request)

    def _start_query_execution(self, request: Mapping[str, Any]) -> Answer:
        query = request["QueryString"]
        if len(query.encode()) > MAX_QUERY_BYTES:
            raise _invalid(f"queryString must have length less than or equal to {MAX_QUERY_BYTES}")
        reuse = request.get("ResultReuseConfiguration", {}).get("ResultReuseByAgeConfiguration", {})
        if reuse.get("Enabled"):
            raise _not_carried_out("ResultReuseConfiguration")
        configuration = self._group(request.get("WorkGroup", "primary"))["Configuration"]
        of_group = configuration.get("ResultConfiguration", {}).get("OutputLocation")
        own = request.get("ResultConfiguration", {}).get("OutputLocation")
        if configuration["EnforceWorkGroupConfiguration"]:
            own = None
        location = own or of_group
        if not location:
            raise _invalid(
                "No output location provided. An output location is required either through the "
                "Workgroup result configuration setting or as an API input."
            )
        self._check_bucket(location)
        context = request.get("QueryExecutionContext", {})
        catalog = context.get("Catalog", _CATALOG["Name"])
        _check_catalog(catalog)
        try:
            execution_id = self._executions.start(
                query,
                database=context.get("Database"),
                catalog=catalog,
                output_location=location.rstrip("/") + "/",
                work_group=request.get("WorkGroup", "primary"),
                parameters=request.get("ExecutionParameters", ()),
                token=request.get("ClientRequestToken"),
            )
        except ValueError as error:
            raise _invalid(str(error)) from error
        return {"QueryExecutionId": execution_id}

    def _check_bucket(self, location: str) -> None:
        bucket = location.removeprefix("s3://").split("/")[0]
        if not location.startswith("s3://") or not bucket:
            raise _invalid("outputLocation is not a valid S3 path.")
        try:
            self._s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            raise _invalid(
                f"Unable to verify/create output bucket {bucket}. Please check your permissions."
            ) from error

    def _get_query_execution(self, request: Mapping[str, Any]) -> Answer:
        execution = self._execution(request)
        # Held back a little, so that a client that polls often asks seldom.
        self._executions.wait(execution, _LONG_POLL_SECONDS)
        return {"QueryExecution": _described(execution)}

    def _batch_get_query_execution(self, request: Mapping[str, Any]) -> Answer:
        found, missing = [], []
        for execution_id in request["QueryExecutionIds"]:
            execution = self._found(execution_id)
            if execution is None:
                missing.append(
                    {
                        "QueryExecutionId": execution_id,
                        "ErrorCode": "INTERNAL_FAILURE",
                        "ErrorMessage": f"QueryExecution {execution_id} was not found",
                    }
                )
            else:
                found.append(_described(execution))
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def _get_query_results(self, request: Mapping[str, Any]) -> Answer:
        execution = self._execution(request)
        if execution.state != "SUCCEEDED":
            ended = execution.state in FINAL
            raise _invalid(
                f"Query did not finish successfully. Final query state: {execution.state}"
                if ended
                else f"Query has not yet finished. Current state: {execution.state}"
            )
        if request.get("QueryResultType") == "DATA_MANIFEST":
            raise _not_carried_out("QueryResultType DATA_MANIFEST")
        assert execution.outcome is not None
        result = execution.outcome.result
        columns, rows = (result.columns, result.rows) if result else ([], [])
        has_header = execution.outcome.is_query
        start, size = _position(request), request.get("MaxResults", _PAGE)
        lines: list[Sequence[str | None]] = []
        if has_header and start == 0:
            lines.append([column.name for column in columns])
        # The header counts as the first row of the whole.
        offset = 1 if has_header else 0
        first = max(start - offset, 0)
        page = rows[first : start + size - offset]
        lines += texts_of(columns, page)
        answer: Answer = {
            "ResultSet": {
                "Rows": [
                    {"Data": [{} if text is None else {"VarCharValue": text} for text in line]}
                    for line in lines
                ],
                "ResultSetMetadata": {"ColumnInfo": [column_info(column) for column in columns]},
            },
            "UpdateCount": (result.update_count or 0) if result else 0,
        }
        if start + size < len(rows) + offset:
            answer["NextToken"] = str(start + size)
        return answer

    def _stop_query_execution(self, request: Mapping[str, Any]) -> Answer:
        self._executions.stop(self._execution(request))
        return {}

    def _list_query_executions(self, request: Mapping[str, Any]) -> Answer:
        found = self._executions.of(request.get("WorkGroup", "primary"))
        return _page("QueryExecutionIds", [each.execution_id for each in found], request)

    def _get_work_group(self, request: Mapping[str, Any]) -> Answer:
        return {"WorkGroup": self._group(request["WorkGroup"])}

    def _list_work_groups(self, request: Mapping[str, Any]) -> Answer:
        kept = ("Name", "State", "Description")
        found = [
            {name: self._work_groups[group][name] for name in kept}
            | {"EngineVersion": _ENGINE_VERSION}
            for group in sorted(self._work_groups)
        ]
        return _page("WorkGroups", found, request)

    def _create_work_group(self, request: Mapping[str, Any]) -> Answer:
        name = request["Name"]
        if name in self._work_groups:
            raise _invalid(f"WorkGroup {name} is already created.")
        configuration = request.get("Configuration", {})
        engine = configuration.get("EngineVersion", {}).get("SelectedEngineVersion", "AUTO")
        if unable := sorted(set(configuration) - _CONFIGURATION):
            raise _not_carried_out(*unable)
        if engine not in ("AUTO", _ENGINE):
            raise _not_carried_out(engine)
        self._work_groups[name] = _work_group(name, configuration, request.get("Description", ""))
        return {}

    def _delete_work_group(self, request: Mapping[str, Any]) -> Answer:
        group = request["WorkGroup"]
        if group == "primary":
            raise _invalid("The primary workgroup cannot be deleted.")
        prepared = STATEMENTS.of(group)
        in_use = bool(prepared or self._executions.of(group))
        if in_use and not request.get("RecursiveDeleteOption"):
            raise _invalid(f"WorkGroup {group} is not empty")
        for statement in prepared:
            STATEMENTS.remove(group, statement.name)
        self._executions.forget(group)
        del self._work_groups[group]
        return {}

    def _create_prepared_statement(self, request: Mapping[str, Any]) -> Answer:
        group, name = request["WorkGroup"], request["StatementName"]
        if STATEMENTS.get(group, name):
            raise _invalid(f"PreparedStatement {name} already exists in workGroup {group}")
        self._put_prepared_statement(request)
        return {}

    def _update_prepared_statement(self, request: Mapping[str, Any]) -> Answer:
        _prepared(request)
        self._put_prepared_statement(request)
        return {}

    def _put_prepared_statement(self, request: Mapping[str, Any]) -> None:
        STATEMENTS.put(
            PreparedStatement(
                request["WorkGroup"],
                request["StatementName"],
                request["QueryStatement"],
                request.get("Description"),
            )
        )

    def _get_prepared_statement(self, request: Mapping[str, Any]) -> Answer:
        statement = _prepared(request)
        answer: Answer = {
            "StatementName": statement.name,
            "WorkGroupName": statement.work_group,
            "QueryStatement": statement.query,
            "LastModifiedTime": statement.modified_at.timestamp(),
        }
        if statement.description is not None:
            answer["Description"] = statement.description
        return {"PreparedStatement": answer}

    def _list_prepared_statements(self, request: Mapping[str, Any]) -> Answer:
        found = [
            {
                "StatementName": statement.name,
                "LastModifiedTime": statement.modified_at.timestamp(),
            }
            for statement in STATEMENTS.of(request["WorkGroup"])
        ]
        return _page("PreparedStatements", found, request)

    def _delete_prepared_statement(self, request: Mapping[str, Any]) -> Answer:
        _prepared(request)
        STATEMENTS.remove(request["WorkGroup"], request["StatementName"])
        return {}

    def _get_data_catalog(self, request: Mapping[str, Any]) -> Answer:
        _check_catalog(request["Name"])
        return {"DataCatalog": _CATALOG}

    def _list_data_catalogs(self, request: Mapping[str, Any]) -> Answer:
        summary = {"CatalogName": _CATALOG["Name"], "Type": _CATALOG["Type"]}
        return _page("DataCatalogsSummary", [summary], request)

    def _get_database(self, request: Mapping[str, Any]) -> Answer:
        name = request["DatabaseName"].lower()
        return {
            "Database": _database(self._of_glue(self._glue.get_database, Name=name)["Database"])
        }

    def _list_databases(self, request: Mapping[str, Any]) -> Answer:
        pages = self._glue.get_paginator("get_databases").paginate()
        found = [_database(each) for page in pages for each in page["DatabaseList"]]
        return _page("DatabaseList", found, request)

    def _get_table_metadata(self, request: Mapping[str, Any]) -> Answer:
        found = self._of_glue(
            self._glue.get_table,
            DatabaseName=request["DatabaseName"].lower(),
            Name=request["TableName"].lower(),
        )
        return {"TableMetadata": _table(found["Table"])}

    def _list_table_metadata(self, request: Mapping[str, Any]) -> Answer:
        pages = self._of_glue(
            self._glue.get_paginator("get_tables")
            .paginate(
                DatabaseName=request["DatabaseName"].lower(),
                Expression=request.get("Expression", "*"),
            )
            .build_full_result
        )
        return _page("TableMetadataList", [_table(each) for each in pages["TableList"]], request)

    def _of_glue(self, ask: Callable[..., Any], **request: Any) -> Any:
        try:
            return ask(**request)
        except ClientError as error:
            raise AthenaError("MetadataException", error.response["Error"]["Message"]) from error

    def _execution(self, request: Mapping[str, Any]) -> Execution:
        execution_id = request["QueryExecutionId"]
        execution = self._found(execution_id)
        if execution is None:
            raise _invalid(f"QueryExecution {execution_id} was not found")
        return execution

    def _found(self, execution_id: str) -> Execution | None:
        execution = self._executions.get(execution_id)
        expired = self._faults.expire_results
        return None if execution and expired and execution.state in FINAL else execution

    def _group(self, name: str) -> dict[str, Any]:
        if name not in self._work_groups:
            raise _invalid(f"WorkGroup {name} is not found.")
        return self._work_groups[name]


def _work_group(name: str, configuration: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {
        "Name": name,
        "State": "ENABLED",
        "Description": description,
        "Configuration": {
            "ResultConfiguration": {},
            "EnforceWorkGroupConfiguration": name != "primary",
            "PublishCloudWatchMetricsEnabled": False,
            "RequesterPaysEnabled": False,
            **configuration,
            "EngineVersion": _ENGINE_VERSION,
        },
    }


def _described(execution: Execution) -> Answer:
    """An execution as GetQueryExecution tells it."""
    outcome, failure = execution.outcome, execution.failure
    milliseconds = round(1000 * execution.seconds)
    status: Answer = {
        "State": execution.state,
        "SubmissionDateTime": execution.submitted_at.timestamp(),
    }
    if execution.completed_at is not None:
        status["CompletionDateTime"] = execution.completed_at.timestamp()
    if execution.state == "CANCELLED":
        status["StateChangeReason"] = "Query cancelled by user"
    elif failure is not None:
        status["StateChangeReason"] = f"{failure.name}: {failure.message}"
        status["AthenaError"] = {
            "ErrorCategory": failure.category,
            "ErrorType": failure.type,
            "Retryable": failure.retryable,
            "ErrorMessage": f"{failure.name}: {failure.message}",
        }
    scanned = outcome.result.scanned_bytes if outcome and outcome.result else 0
    statistics: Answer = {
        "DataScannedInBytes": scanned,
        "EngineExecutionTimeInMillis": milliseconds,
        "TotalExecutionTimeInMillis": milliseconds,
        "QueryQueueTimeInMillis": 0,
        "ServiceProcessingTimeInMillis": 0,
    }
    if outcome is not None and outcome.manifest is not None:
        statistics["DataManifestLocation"] = manifest_location(
            outcome, execution.output_location, execution.execution_id
        )
    context = {"Catalog": execution.catalog.lower()}
    if execution.database:
        context["Database"] = execution.database
    described: Answer = {
        "QueryExecutionId": execution.execution_id,
        "Query": execution.query,
        "ResultConfiguration": {
            "OutputLocation": result_location(
                outcome, execution.output_location, execution.execution_id
            )
        },
        "QueryExecutionContext": context,
        "Status": status,
        "Statistics": statistics,
        "WorkGroup": execution.work_group,
        "EngineVersion": _ENGINE_VERSION,
    }
    if execution.parameters:
        described["ExecutionParameters"] = list(execution.parameters)
    if outcome is not None:
        described["StatementType"] = outcome.statement_type
        described["SubstatementType"] = outcome.substatement_type
    return described


def _position(request: Mapping[str, Any]) -> int:
    token = request.get("NextToken", "0")
    if not token.isdigit():
        raise _invalid("The NextToken is not valid.")
    return int(token)


def _page(name: str, found: list[Any], request: Mapping[str, Any]) -> Answer:
    start, size = _position(request), request.get("MaxResults") or _LIST_PAGE
    answer: Answer = {name: found[start : start + size]}
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return answer


def _check_catalog(name: str) -> None:
    if name.lower() != _CATALOG["Name"].lower():
        raise _invalid(f"The data catalog {name} was not found")


def _prepared(request: Mapping[str, Any]) -> PreparedStatement:
    group, name = request["WorkGroup"], request["StatementName"]
    statement = STATEMENTS.get(group, name)
    if statement is None:
        raise AthenaError(
            "ResourceNotFoundException",
            f"PreparedStatement {name} was not found in workGroup {group}",
        )
    return statement


def _database(found: Mapping[str, Any]) -> Answer:
    return {"Name": found["Name"], "Parameters": dict(found.get("Parameters", {}))}


def _table(found: Mapping[str, Any]) -> Answer:
    return {
        "Name": found["Name"],
        "TableType": found.get("TableType", ""),
        "Columns": [
            _metadata_column(each) for each in found.get("StorageDescriptor", {}).get("Columns", [])
        ],
        "PartitionKeys": [_metadata_column(each) for each in found.get("PartitionKeys", [])],
        "Parameters": dict(found.get("Parameters", {})),
    }


def _metadata_column(column: Mapping[str, Any]) -> Answer:
    return {name: column[name] for name in ("Name", "Type", "Comment") if column.get(name)}
