"""What a disk or its rights refuse, told in words that help: a full disk, a place not writable."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from salescast.errors import RunError
from salescast.files import final_path

NEEDS_HOME = "Set SALESCAST_HOME to a folder that this user may write, or free its disk."
AGAIN = "give the command again"

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
# How Python shows an OSError with its file.
_SHOWN = re.compile(r"\[Errno (\d+)\] [^:\n]+(?:: '([^'\n]+)')?")


class DiskError(RunError):
    """What a disk or its rights refuse; whoever tells it knows how the command goes on."""

    def __init__(self, what: str, place: Path | str, remedy: str, again: str, rest: str) -> None:
        """Keep the parts of the fix.

        Args:
            what: What is wrong, in one sentence.
            place: The file or folder concerned.
            remedy: What mends the place.
            again: What to do then.
            rest: What else to know, with its own sign before it.
        """
        path = final_path(Path(place))
        # A temporary file of the lake, whose name says nothing.
        where = str(path.parent if re.fullmatch(r"\..+\.tmp", path.name) else path)
        super().__init__(what, where=where, fix=f"{remedy}, then {again}{rest}")
        self._parts = what, where, remedy, rest

    def going_on(self, again: str) -> DiskError:
        """The same with another way to go on."""
        what, where, remedy, rest = self._parts
        return DiskError(what, where, remedy, again, rest)


def is_full(error: BaseException | str) -> bool:
    """Whether an error, or the text of one, tells of a disk without room."""
    return getattr(error, "errno", None) in _FULL or _FULL_TEXT.search(str(error)) is not None


def full(where: Path | str, again: str = AGAIN) -> DiskError:
    """The error of a disk without room.

    Args:
        where: The file or folder that did not fit.
        again: What to do once there is room.
    """
    return DiskError(
        "The disk is full; the file was not written.",
        where,
        "Free some space",
        again,
        "; what was landed before is untouched.",
    )


def told(error: BaseException, home: Path, again: str = AGAIN) -> DiskError | None:
    """An error of the file system in words that help; None for any other.

    Args:
        error: An OSError, or one of DuckDB or Arrow that tells of one.
        home: The home or the place at work, for errors that name no file.
        again: What to do once the place is mended.
    """
    library = type(error).__module__.split(".")[0]
    if not isinstance(error, OSError) and library not in ("_duckdb", "duckdb", "pyarrow"):
        return None
    text = (str(error).splitlines() or [""])[0]
    named = _FILE.search(text)
    # A copy or a rename names both its ends, of which the second is written.
    names = (getattr(error, "filename2", None), getattr(error, "filename", None))
    place = next((name for name in names if name), named[1] if named else home)
    if is_full(error):
        return full(place, again)
    number = getattr(error, "errno", None)
    reason = getattr(error, "strerror", None)
    if reason is None and (found := _REFUSED_TEXT.search(text)):
        number, reason = errno.EACCES, found[0].capitalize()
    return _refused(number, reason or text, Path(os.fsdecode(place)), again)


def told_text(text: str, home: Path, again: str = AGAIN) -> DiskError | None:
    """What the output of a program says about the disk; None if it says nothing.

    Args:
        text: What it has told, with DuckDB's or Python's own words for errors of the system.
        home: The place at work, where the text names no file.
        again: What to do once the place is mended.
    """
    if is_full(text):
        return full(home, again)
    for line in text.splitlines():
        if shown := _SHOWN.search(line):
            number, place = int(shown[1]), Path(shown[2] or home)
            if (found := _refused(number, os.strerror(number), place, again)) is not None:
                return found
        if (named := _FILE.search(line)) and (reason := _REFUSED_TEXT.search(line)):
            return _refused(errno.EACCES, reason[0].capitalize(), Path(named[1]), again)
    return None


@contextmanager
def telling(place: Path) -> Iterator[None]:
    """Tell what the disk refuses while the block writes; any other error passes as it came.

    Args:
        place: The file or folder that is written, for errors that name none.

    Raises:
        DiskError: The disk is full, or refuses the place.
    """
    try:
        yield
    except Exception as error:
        if (found := told(error, place)) is None:
            raise
        raise found from error


def home_refused(home: Path, error: OSError) -> RunError:
    """The error of a home that cannot be written to."""
    if is_full(error):
        return full(home)
    return RunError(
        f"The home cannot be written to: {error.strerror or error}.",
        where=str(home),
        fix=NEEDS_HOME,
    )


def _refused(number: int | None, reason: str, place: Path, again: str) -> DiskError | None:
    if number in _REFUSED:
        what = "This user may not read or write the place"
    elif number == errno.ENOTDIR or (number == errno.EEXIST and place.is_file()):
        what = "A file stands where a folder is needed"
    elif number in _OTHERS:
        what = "The place cannot be used"
    else:
        return None
    return DiskError(
        f"{what}: {reason}.",
        place,
        "Mend its owner, its rights or its disk, or name another folder (of the home: "
        "SALESCAST_HOME)",
        again,
        ".",
    )
