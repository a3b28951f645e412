"""What a disk or its rights refuse, told in words that help: a full disk, a place not writable."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from salescast.errors import RunError

NEEDS_HOME = "Set SALESCAST_HOME to a folder that this user may write, or free its disk."

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_OTHERS = {errno.EISDIR, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP}
# DuckDB, Arrow and dbt tell errors of the system as text.
_FULL_TEXT = re.compile(
    r"no space left|file too large|disk quota|not enough disk"
    r"|failed to offload data block|max_temp_directory_size",
    re.IGNORECASE,
)
_REFUSED_TEXT = re.compile(
    r"permission denied|operation not permitted|read-only file system", re.IGNORECASE
)
_FILE = re.compile(r'file "([^"]+)"')


def is_full(error: BaseException | str) -> bool:
    """Whether an error, or the text of one, tells of a disk without room."""
    return getattr(error, "errno", None) in _FULL or _FULL_TEXT.search(str(error)) is not None


def full(where: Path | str, fix: str) -> RunError:
    """The error of a disk without room.

    Args:
        where: The file or folder that did not fit.
        fix: What to do once there is room.
    """
    return RunError(
        "The disk is full; the file was not written.",
        where=str(where),
        fix=f"Free some space, then {fix}; what was landed before is untouched.",
    )


def told(error: Exception, home: Path, again: str) -> RunError | None:
    """An error of the file system in words that help; None for any other.

    Args:
        error: An OSError, or one of DuckDB or Arrow that tells of one.
        home: The home, for errors that name no file.
        again: What to do once the place is mended, as `give the command again`.
    """
    library = type(error).__module__.split(".")[0]
    if not isinstance(error, OSError) and library not in ("_duckdb", "duckdb", "pyarrow"):
        return None
    text = (str(error).splitlines() or [""])[0]
    named = _FILE.search(text)
    place = getattr(error, "filename", None) or (named[1] if named else home)
    if is_full(error):
        return full(place, again)
    number = getattr(error, "errno", None)
    if number in _REFUSED or _REFUSED_TEXT.search(text):
        what = "This user may not read or write the place"
    elif number == errno.ENOTDIR or (number == errno.EEXIST and Path(place).is_file()):
        what = "A file stands where a folder is needed"
    elif number in _OTHERS:
        what = "The place cannot be used"
    else:
        return None
    reason = getattr(error, "strerror", None) or text
    return RunError(
        f"{what}: {reason}.",
        where=str(place),
        fix=f"Mend its owner, its rights or its disk, or set SALESCAST_HOME to another folder; "
        f"then {again}.",
    )


def home_refused(home: Path, error: OSError) -> RunError:
    """The error of a home that cannot be written to."""
    if is_full(error):
        return full(home, "give the command again")
    return RunError(
        f"The home cannot be written to: {error.strerror or error}.",
        where=str(home),
        fix=NEEDS_HOME,
    )
