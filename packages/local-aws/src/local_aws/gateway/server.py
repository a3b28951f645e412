"""Who a call is for: Athena or Glue."""

from __future__ import annotations

from http.server import ThreadingHTTPServer
from typing import Any

from local_aws.gateway.faults import Faults
from local_aws.gateway.glue import Glue
from local_aws.gateway.operations import Athena, AthenaError
from local_aws.json_server import Answer, error_answer, make_json_server

_ATHENA, _GLUE = "AmazonAthena", "AWSGlue"


def make_server(port: int, athena: Athena, glue: Glue, faults: Faults) -> ThreadingHTTPServer:
    """A server on 127.0.0.1, not yet serving; port 0 takes a free one."""

    def call(target: str, request: dict[str, Any], agent: str) -> Answer:
        service, _, operation = target.partition(".")
        try:
            if service == _ATHENA:
                return 200, athena.call(operation, request)
            if service == _GLUE:
                return glue.call(operation, request, agent)
        except AthenaError as error:
            return error_answer(error.code, error.message)
        return error_answer("UnknownOperationException", f"no service {service!r} here")

    return make_json_server(port, call, faults)
