"""dbt's own command line, parsed once and with AWS's clients made once: python -m …dbt_program.

A project that was parsed before, and its profile, are taken as they are (`parsed_project`).

dbt-athena opens a session and a client for nearly every call. Each session would read and parse the
models of the services anew, each client its rules of endpoints: more than half of the processor
time of a build on Athena.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt.cli.main import cli

from salescast.warehouse.dbt import PARSED_PROJECTS
from salescast.warehouse.parsed_project import ParsedProject

if TYPE_CHECKING:
    import boto3


def main() -> None:
    """Do what `dbt` does."""
    # DuckDB does without the extra aws.
    if importlib.util.find_spec("boto3"):
        _make_clients_once()
    arguments = sys.argv[1:]
    project, target = _value("--project-dir", arguments), _value("--target-path", arguments)
    if project is None or target is None:
        cli()
        return
    _with_kept_parse(arguments, Path(project), Path(target))


def _make_clients_once() -> None:
    import boto3
    import botocore.session

    botocore.session.create_loader = cache(botocore.session.create_loader)
    boto3.Session.client = _made_once(boto3.Session.client)  # type: ignore[method-assign]


def _with_kept_parse(arguments: Sequence[str], project: Path, target: Path) -> None:
    """Give a command the parse of before; where there is none, keep the one that it makes."""
    shared = os.environ.get(PARSED_PROJECTS)
    parsed = ParsedProject(project, Path(shared or target))
    manifest = parsed.read()
    written = target / "manifest.json"
    before = _modified(written)
    try:
        cli.main(arguments, prog_name="dbt", obj={"manifest": manifest, "callbacks": []})
    finally:
        # Written once the project is parsed, whatever becomes of the command then.
        if manifest is None and _modified(written) != before:
            parsed.keep(target / "partial_parse.msgpack")
            if not shared:
                parsed.forget_others()


def _modified(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _value(option: str, arguments: Sequence[str]) -> str | None:
    """The value of an option, given as the argument after it."""
    if option not in arguments[:-1]:
        return None
    return arguments[arguments.index(option) + 1]


def _made_once(make: Callable[..., Any]) -> Callable[..., Any]:
    """A method `client` that gives sessions with the same credentials the same client."""
    made: dict[str, Any] = {}
    lock = threading.RLock()

    @wraps(make)
    def client(session: boto3.Session, *names: Any, **options: Any) -> Any:
        config = options.get("config")
        wanted = {**options, "config": vars(config) if config else None}
        key = repr((names, sorted(wanted.items()), session.region_name, _identity(session)))
        with lock:
            if key not in made:
                made[key] = make(session, *names, **options)
            return made[key]

    return client


def _identity(session: boto3.Session) -> tuple[str | None, ...]:
    """What tells the credentials of sessions apart; a client renews by itself those that expire."""
    credentials = session.get_credentials()
    if credentials is None:
        return (session.profile_name,)
    # Keys that were given, as those of an assumed role, stand in no profile.
    given = credentials.access_key if credentials.method == "explicit" else None
    return (session.profile_name, credentials.method, given)


if __name__ == "__main__":
    main()
