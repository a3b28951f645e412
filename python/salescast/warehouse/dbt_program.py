"""dbt's own command line, with AWS's service models read once: python -m …warehouse.dbt_program.

dbt-athena opens a session for nearly every call, and each session would read and parse the models
of the services anew: half of the processor time of a build on Athena.
"""

from __future__ import annotations

from functools import cache

import botocore.session
from dbt.cli.main import cli


def main() -> None:
    """Do what `dbt` does."""
    botocore.session.create_loader = cache(botocore.session.create_loader)
    cli()


if __name__ == "__main__":
    main()
