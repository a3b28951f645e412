"""The warehouse file when DuckDB cannot open it: what is wrong, by the text of its error."""

from __future__ import annotations

from pathlib import Path

from salescast import disk
from salescast.errors import RunError

_LOCKED = ("Could not set lock on file", "Conflicting lock is held")
_BROKEN = (
    "is not a valid DuckDB database file",
    "Could not read enough bytes from file",
    "Corrupt database file",
)


def told(text: str, path: Path) -> RunError | None:
    """What an error of DuckDB, or of a dbt that met it, says about the file; None if nothing.

    Args:
        text: The text of the error.
        path: The warehouse file, which the commands work on.
    """
    if any(sign in text for sign in _LOCKED):
        return RunError(
            "The warehouse file is open in another program.",
            where=str(path),
            fix="Close it (a bare `dbt build`, a DuckDB shell, a notebook) and try again; "
            "readers should open marts.duckdb.",
        )
    # A file of the lake can be cut short too; this one is named, or its blocks are.
    if any(sign in text for sign in _BROKEN) and (path.name in text or _BROKEN[2] in text):
        return RunError(
            f"{path.name} is no database, or a part of one: it is empty or damaged.",
            where=str(path),
            fix="Remove it and run `salescast build`, which makes it anew from the lake.",
        )
    return disk.told_text(text, path.parent)
