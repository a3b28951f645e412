"""dbt's own command line, with AWS's clients made once: python -m …warehouse.dbt_program.

dbt-athena opens a session and a client for nearly every call. Each session would read and parse the
models of the services anew, each client its rules of endpoints: more than half of the processor
time of a build on Athena.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from dbt.cli import params
from dbt.cli.main import cli

if TYPE_CHECKING:
    import boto3


def main() -> None:
    """Do what `dbt` does."""
    # DuckDB does without the extra aws.
    if importlib.util.find_spec("boto3"):
        _make_clients_once()
    # dbt's hints on speed keep the time of the last one in the user's home folder. 1.11 has none.
    if hasattr(params, "hints_enabled"):
        os.environ.setdefault("DBT_ENGINE_HINTS_ENABLED", "false")
    cli()


def _make_clients_once() -> None:
    import boto3
    import botocore.session

    botocore.session.create_loader = cache(botocore.session.create_loader)
    boto3.Session.client = _made_once(boto3.Session.client)  # type: ignore[method-assign]


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
