"""The bytes of a text file as UTF-8 that DuckDB can read: encodings, packing, what ends a file."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path

from salescast import disk
from salescast.errors import RunError, UserError

CHUNK = 1 << 20
_CURRENCIES = frozenset(("$", "€", "£", "¥", "₹", "EUR", "USD", "GBP", "CHF", "CAD", "AUD"))
_PREFIX = "ingest-"
_DAY = 86_400.0
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What DOS and some tills write after the last line.
_END_OF_FILE = "\x1a"


@dataclass(frozen=True)
class TextFile:
    """A text file as DuckDB can read it.

    Attributes:
        readable: The file itself, or a copy of it as UTF-8.
        is_packed: Whether `readable` is gzip.
        content_hash: SHA-256 of the unpacked bytes of the file.
        head: Beginning of the text.
        has_mark: Whether the mark of UTF-8 or UTF-16 stands before it.
        currencies: Signs of currencies that stand anywhere in it.
        n_lines: Number of its lines, those inside of values too.
        has_quotes: Whether a quote stands anywhere in it.
    """

    readable: Path
    is_packed: bool
    content_hash: str
    head: str
    has_mark: bool
    currencies: frozenset[str]
    n_lines: int
    has_quotes: bool


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder for copies of files, removed at the end, as is what killed commands left."""
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.glob(f"{_PREFIX}*"):
        # A younger one may be in use by another command.
        if time.time() - old.stat().st_mtime > _DAY:
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as folder:
        yield Path(folder)


def read_text(path: Path, encoding: str, key: str, scratch: Path) -> TextFile:
    """Read a text file once: its hash, its beginning, and a copy where it is no plain UTF-8.

    Args:
        path: The file; gzip by its name.
        encoding: Encoding that the mapping gives.
        key: Key and file of the mapping to name in an error, such as `tables.sales.encoding in m`.
        scratch: Folder for the copy.

    Raises:
        UserError: The file is not what its name says, not in the encoding, or holds NUL.
        RunError: No room for the copy.
    """
    packed = path.name.lower().endswith(".gz")
    _check_kind(path, packed)
    reading = _Reading(path, encoding, key)
    copy: Path | None = None
    try:
        with _unpacked(path, packed) as file:
            if reading.is_utf8:
                for chunk in iter(lambda: file.read(CHUNK), b""):
                    reading.take(chunk)
                reading.take(b"", final=True)
            else:
                copy = _copy_name(scratch)
                with _room(copy), copy.open("wb") as out:
                    for chunk in iter(lambda: file.read(CHUNK), b""):
                        out.write(reading.take(chunk).encode())
                    out.write(reading.take(b"", final=True).encode())
            if reading.ends_in_mark and copy is None:
                file.seek(0)
                copy = _copy_name(scratch)
                with _room(copy), copy.open("wb") as out:
                    shutil.copyfileobj(file, out, CHUNK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cut = isinstance(error, EOFError)
        raise UserError(
            "the gzip file ends too early" if cut else f"the file is not valid gzip: {error}",
            where=str(path),
            fix="copy or download the file again" + ("" if cut else "; name it .csv if it is text"),
        ) from error
    if copy is not None and reading.ends_in_mark:
        with copy.open("r+b") as out:
            out.truncate(copy.stat().st_size - reading.n_end_bytes)
    return TextFile(
        copy or path,
        packed and copy is None,
        reading.hasher.hexdigest(),
        reading.head.removeprefix("\ufeff").split(_END_OF_FILE)[0],
        reading.head.startswith("\ufeff"),
        frozenset(reading.currencies),
        reading.n_lines,
        reading.has_quotes,
    )


def without_lines(text: TextFile, lines: list[str], scratch: Path) -> TextFile:
    """A copy without its first lines; in quotes, they would swallow what comes after them."""
    before = "".join(lines)
    old = ("\ufeff" + before if text.has_mark else before).encode()
    copy = patched_copy(text, [(0, old, b"")], scratch)
    if copy is None:
        raise RunError("the file changed while it was read", where=str(text.readable))
    head = text.head[len(before) :]
    return replace(text, readable=copy, is_packed=False, head=head, has_mark=False)


def patched_copy(
    source: TextFile, patches: list[tuple[int, bytes, bytes]], scratch: Path
) -> Path | None:
    """A copy in which parts are replaced; None where a part is not at its place.

    Args:
        source: The file.
        patches: Offset, bytes that are there, and bytes to write instead, in their order.
        scratch: Folder for the copy.
    """
    copy = _copy_name(scratch)
    with (
        _unpacked(source.readable, source.is_packed) as file,
        _room(copy),
        copy.open("wb") as out,
    ):
        place = 0
        for offset, old, new in patches:
            while place < offset and (chunk := file.read(min(CHUNK, offset - place))):
                out.write(chunk)
                place += len(chunk)
            if file.read(len(old)) != old:
                return None
            place += len(old)
            out.write(new)
        shutil.copyfileobj(file, out, CHUNK)
    return copy


def _copy_name(scratch: Path) -> Path:
    return scratch / f"{len(list(scratch.iterdir()))}.csv"


def _unpacked(path: Path, packed: bool) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path) if packed else path.open("rb")


@contextmanager
def _room(copy: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        if (refused := disk.told(error, copy.parent)) is not None:
            raise refused from error
        raise RunError(
            f"a copy of the file as UTF-8 cannot be written: {error.strerror or error}",
            where=str(copy.parent),
            fix="free some space and give the command again; nothing was landed",
        ) from error


def _check_kind(path: Path, packed: bool) -> None:
    with path.open("rb") as file:
        magic = file.read(4)
    kinds = {b"\x1f\x8b": "gzip", b"PK": "zip", b"PA": "Parquet", b"\xd0\xcf": "an Excel file"}
    kind = kinds.get(magic[:2])
    if kind is None or (kind == "gzip" and packed) or (kind == "Parquet" and magic != b"PAR1"):
        return
    if packed:
        return
    raise UserError(
        f"the file is {kind} although its name says otherwise",
        where=str(path),
        fix="unpack it (an Excel file: save it as 'CSV UTF-8'), or name it .csv.gz or .parquet "
        "after what it is",
    )


class _Reading:
    """State of one pass over the bytes of a file."""

    def __init__(self, path: Path, encoding: str, key: str) -> None:
        self.path, self.encoding, self.key = path, encoding, key
        self.is_utf8 = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
        self.hasher = hashlib.sha256()
        self.head = ""
        self.raw_head = b""
        self.n_end_bytes = 0
        self.currencies: set[str] = set()
        self.has_quotes = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._as_utf8 = codecs.getincrementaldecoder("utf-8")()
        self._may_be_utf8 = not self.is_utf8
        self._n_bytes = self._n_lines = 0
        self._is_ascii = True
        self._tail = ""

    @property
    def ends_in_mark(self) -> bool:
        """Whether the last line holds only the sign that ends a file in DOS."""
        return self.n_end_bytes > 0

    @property
    def n_lines(self) -> int:
        """Number of lines; the last one may lack its end."""
        return self._n_lines + (self._tail[-1:] not in ("", "\n", "\r"))

    def take(self, chunk: bytes, final: bool = False) -> str:
        """Count and judge the next bytes; returns their text where the file is no UTF-8."""
        if self._decoder is None:
            self.raw_head = chunk
            self._decoder = self._start(chunk)
        self.hasher.update(chunk)
        waiting = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            raise self._not_in_encoding(chunk, error.start - waiting) from error
        if "\0" in text:
            raise self._holds_nul(text)
        self.head = self.head or text
        self._n_bytes += len(chunk)
        self._n_lines += _line_ends(text)
        self._tail = (self._tail + text[-64:])[-64:]
        self.has_quotes = self.has_quotes or '"' in text
        self.currencies |= {sign for sign in _CURRENCIES - self.currencies if sign in text}
        if not self.is_utf8:
            self._look_for_utf8(chunk, final)
        if final:
            end = re.search(f"[\r\n]*{_END_OF_FILE}[{_END_OF_FILE}\r\n]*$", self._tail)
            self.n_end_bytes = len(end[0].encode()) if end else 0
        return text

    def _start(self, first: bytes) -> codecs.IncrementalDecoder:
        name = codecs.lookup(self.encoding).name
        bom = next((each for each in _BOMS if first.startswith(each)), b"")
        said = _BOMS.get(bom, "")
        if said and not (said == "utf-8" and self.is_utf8) and not name.startswith(said):
            raise self._other_encoding(said, "line 1", "by its first bytes")
        if name == "utf-16" and not said:
            name = _utf16_by_zeros(first) or "utf-16-le"
        return codecs.getincrementaldecoder(name)()

    def _look_for_utf8(self, chunk: bytes, final: bool) -> None:
        """Refuse a file that is UTF-8 beyond doubt, which one byte a letter would garble."""
        if not self._may_be_utf8 or len("é".encode(self.encoding, "ignore")) > 1:
            return
        self._is_ascii = self._is_ascii and chunk.isascii()
        try:
            self._as_utf8.decode(chunk, final)
        except UnicodeDecodeError:
            self._may_be_utf8 = False
        if final and self._may_be_utf8 and not self._is_ascii:
            raise self._other_encoding("utf-8", None, "every letter of it is")

    def _other_encoding(self, found: str, line: str | None, why: str) -> UserError:
        is_utf16 = found == "utf-16"
        return UserError(
            f"the file is {found.upper()}, not {self.encoding.upper()}: {why}",
            where=f"{self.path}, {line}" if line else str(self.path),
            fix=f"set {self.key.replace(' in ', f': {found} in ', 1)}"
            + ("; or save it as UTF-8 (in a spreadsheet: 'CSV UTF-8')" if is_utf16 else ""),
        )

    def _holds_nul(self, text: str) -> UserError:
        if found := _utf16_by_zeros(self.raw_head):
            return self._other_encoding(found, "line 1", "every second byte is zero")
        line = self._n_lines + _line_ends(text[: text.index("\0")]) + 1
        return UserError(
            "the text holds NUL, which no text has; the file is damaged",
            where=f"{self.path}, line {line}",
            fix="export the file again",
        )

    def _not_in_encoding(self, chunk: bytes, start: int) -> UserError:
        byte, start = self._n_bytes + start + 1, max(start, 0)
        if self.is_utf8 and (found := _utf16_by_zeros(self.raw_head)):
            return self._other_encoding(found, "line 1", "every second byte is zero")
        if self.is_utf8:
            line = self._n_lines + _byte_line_ends(chunk[:start]) + 1
            likely, reads = _likely_encoding(_line_at(chunk, start))
            like = f" (it then reads {reads!r})" if reads else ""
            return UserError(
                "the file is not UTF-8 text",
                where=f"{self.path}, line {line}, byte {byte}",
                fix=f"set {self.key.replace(' in ', f': {likely} in ', 1)}{like}, or save it as "
                "UTF-8 (in a spreadsheet: 'CSV UTF-8')",
            )
        before = chunk[:start].decode(self.encoding, "ignore")
        return UserError(
            f"the file is not {self.encoding}: it has bytes that are no letter there",
            where=f"{self.path}, line {self._n_lines + _line_ends(before) + 1}, byte {byte}",
            fix=f"correct {self.key}",
        )


def _utf16_by_zeros(sample: bytes) -> str | None:
    """The UTF-16 that a text without a mark is in: most of its letters have a zero byte."""
    sample = sample[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    if odd > 0.4 * half and even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.1 * half else None


def _likely_encoding(line: bytes) -> tuple[str, str]:
    """The encoding that a line of 8-bit text is likely in, and how it reads then."""
    words = re.findall(rb"[A-Za-z\x80-\xff]+", line)
    odd = [word for word in words if not word.isascii()]
    foreign = sum(byte >= 0xC0 for word in odd for byte in word)
    if odd and foreign > 0.7 * sum(map(len, odd)) and foreign >= 4:
        candidates = ["windows-1251"]
    else:
        candidates = ["windows-1252", "cp850"]
    readings = []
    for name in candidates:
        text = b" ".join(odd).decode(name, "replace")
        strange = [sign for sign in text if not sign.isascii()]
        # A capital in the middle of a word in small letters is a letter misread.
        bad = sum(not sign.isalpha() and sign != "€" for sign in strange)
        bad += len(re.findall(r"(?<=[a-zß-ÿ])[À-ÞÀ-ÖØ-Þ]", text))
        readings.append((bad, name))
    name = min(readings, key=lambda each: each[0])[1]
    return name, line[:60].decode(name, "replace")


def _line_at(chunk: bytes, start: int) -> bytes:
    begin = max(chunk.rfind(b"\n", 0, start), chunk.rfind(b"\r", 0, start)) + 1
    rest = re.search(rb"[\r\n]", chunk[start:])
    return chunk[begin : start + rest.start() if rest else len(chunk)]


def _line_ends(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _byte_line_ends(chunk: bytes) -> int:
    return chunk.count(b"\n") or chunk.count(b"\r")


def guess_encoding(path: Path) -> str:
    """The encoding that a text file is likely in; certain for UTF-8 and UTF-16.

    Raises:
        UserError: The file is not valid gzip.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    first = b""
    try:
        with _unpacked(path, path.name.lower().endswith(".gz")) as file:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                first = first or chunk
                waiting = len(decoder.getstate()[0])
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as error:
                    if first[:2] in _BOMS or _utf16_by_zeros(first):
                        return "utf-16"
                    rest = chunk[max(error.start - waiting, 0) :]
                    lines = [_line_at(chunk, len(chunk) - len(rest)), *re.split(rb"[\r\n]+", rest)]
                    odd = [line for line in lines if not line.isascii()][:200]
                    return _likely_encoding(b"\n".join(odd))[0]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"the file is not valid gzip: {error}", where=str(path)) from error
    return "utf-16" if _utf16_by_zeros(first) else "utf-8"
