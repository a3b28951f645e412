"""Requests checked against botocore's own model of a service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sized
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator


class Requests:
    """The requests of one service."""

    def __init__(self, service: str) -> None:
        """Load the model.

        Args:
            service: Its name in botocore, for instance "athena".
        """
        self._model = botocore.session.get_session().get_service_model(service)
        self._validator = ParamValidator()

    def problem(self, operation: str, request: Mapping[str, Any]) -> str | None:
        """What the model does not allow in a request of a known operation; None if all is well."""
        shape = self._model.operation_model(operation).input_shape
        assert shape is not None
        report = self._validator.validate(dict(request), shape)
        if report.has_errors():
            return str(report.generate_report())
        # botocore itself leaves these to the server.
        broken = list(_broken(request, shape, ""))
        if not broken:
            return None
        errors = "error" if len(broken) == 1 else "errors"
        return f"{len(broken)} validation {errors} detected: {'; '.join(broken)}"


def given(request: Mapping[str, Any], *paths: str) -> list[str]:
    """Which of the members a request has; each a path with dots."""
    found = []
    for path in paths:
        value: Any = request
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            found.append(path)
    return found


def _broken(value: Any, shape: Any, path: str) -> Iterator[str]:
    limits = shape.metadata
    if shape.type_name == "structure":
        for name, each in value.items():
            yield from _broken(each, shape.members[name], f"{path}.{name}".lstrip("."))
    elif shape.type_name == "map":
        yield from _too_long(value, limits, path)
        for key, each in value.items():
            yield from _broken(key, shape.key, path)
            yield from _broken(each, shape.value, f"{path}.{key}")
    elif shape.type_name == "list":
        yield from _too_long(value, limits, path)
        for each in value:
            yield from _broken(each, shape.member, path)
    elif shape.type_name == "string":
        yield from _broken_text(value, limits, path)
    elif shape.type_name in ("integer", "long"):
        # A boolean is an int for Python, and so for botocore.
        if isinstance(value, bool):
            yield f"{_at(path)} Member must be a number"
        elif value > limits.get("max", value):
            yield f"{_at(path)} Member must have value less than or equal to {limits['max']}"


def _too_long(value: Sized, limits: Mapping[str, Any], path: str) -> Iterator[str]:
    if len(value) > limits.get("max", len(value)):
        yield f"{_at(path)} Member must have length less than or equal to {limits['max']}"


def _broken_text(value: str, limits: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from _too_long(value, limits, path)
    if "enum" in limits and value not in limits["enum"]:
        yield f"{_at(path)} Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
    pattern = _pattern(limits.get("pattern", ".*"))
    if pattern is not None and not pattern.fullmatch(value):
        yield f"{_at(path)} Member must satisfy regular expression pattern: {pattern.pattern}"


@cache
def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text, re.DOTALL)
    except re.error:
        # Java's own forms, surrogate ranges and \p{…}: they let nearly all text pass.
        return None


def _at(path: str) -> str:
    return f"Value at '{path}' failed to satisfy constraint:"
