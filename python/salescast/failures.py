"""What a command tells that was stopped, or failed in a way that it did not foresee."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from salescast import disk
from salescast.errors import SalescastError

_OF_A_BATCH = {"run", "backtest", "export", "train", "predict", "load", "demo"}
_AFTER_A_STOP = {
    "init": "Delete what it wrote of the folder before you give the command again.",
    "simulate": "Give the command again: it writes its files anew.",
    "ingest": "Nothing was landed.",
    "build": "Readers still see whole marts; `salescast build` does it again.",
    "report": "No report was written.",
    "champion": "`salescast champion show` tells which model is chosen.",
    "prune": "What it told is removed; give the command again for the rest.",
}


def stopped(command: str | None) -> str:
    """What an interrupt of a command leaves, and how to go on.

    Args:
        command: The command's name; None if it was stopped before one was known.
    """
    if command not in _OF_A_BATCH:
        return _AFTER_A_STOP.get(command or "", "")
    batch_id = _unfinished_batch()
    if batch_id is None:
        return "No batch was begun."
    return f"`salescast run --resume` goes on with batch {batch_id}."


def told(error: Exception, command: str | None) -> SalescastError | None:
    """An error of AWS or of the disk in words that help; None for any other."""
    if any(each.__module__.startswith("botocore.") for each in type(error).__mro__):
        from salescast.aws import told as told_of_aws

        return told_of_aws(error)  # type: ignore[arg-type]
    return disk.told(error, _home(), _again(command))


def with_way_on(error: SalescastError, command: str | None) -> SalescastError:
    """An error of the disk with how the command goes on; any other as it is."""
    return error.going_on(_again(command)) if isinstance(error, disk.DiskError) else error


def _again(command: str | None) -> str:
    goes_on = command in _OF_A_BATCH and _unfinished_batch() is not None
    return "go on with `salescast run --resume`" if goes_on else disk.AGAIN


def keep_traceback(error: Exception) -> str:
    """Write an error's traceback to the home's log; returns where it, or at least its end, is."""
    from salescast.settings import load_settings

    log = None
    with suppress(SalescastError, OSError):
        log = load_settings().log_file
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat()} {' '.join(sys.argv)}\n")
            file.write("".join(traceback.format_exception(error)) + "\n")
        return str(log)
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{last.filename}, line {last.lineno}, in {last.name}"
    return place if log is None else f"{place} (the log {log} cannot be written)"


def _home() -> Path:
    from salescast.settings import load_settings

    with suppress(SalescastError, OSError):
        return load_settings().home
    return Path.cwd()


def _unfinished_batch() -> str | None:
    """Id of the home's newest batch if something is left of it to do."""
    from salescast.settings import load_settings
    from salescast.week.batch import newest_folder, read_record

    with suppress(SalescastError, OSError):
        record = read_record(newest_folder(load_settings().batches))
        return None if record.status == "done" else record.batch_id
    return None
