"""Free text in the terminal: reasons, file names and texts of mappings are shown, not obeyed."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from salescast.cli import cli
from salescast.console import ConsoleProgress, print_table
from salescast.printable import printable
from support.home import REPOSITORY
from support.sources import write_csv, write_mapping

ESCAPES = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202egnp.exe\r"
WRITTEN = r"\x1b[31mred\x1b]0;title\x07\x9b2J\u202egnp.exe\r"
MARKUP = [
    "[/x]",
    "[bold]",
    "[link=https://example.org]",
    "[",
    r"\[",
    ":smile:",
    "[/]",
    "[red]x[/red]",
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TARGET", "FORECASTER", "SCHEMA", "PROJECT_DIR"):
        monkeypatch.delenv(f"SALESCAST_{name}", raising=False)
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


def call(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, [str(each) for each in arguments], prog_name="salescast")
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    check_harmless(result.output)
    return result


def check_harmless(output: str) -> None:
    for sign in ("\x1b", "\x07", "\x9b", "\u202e", "\r"):
        assert sign not in output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (ESCAPES, WRITTEN),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Käthe's „Laden“, 5 €", "Käthe's „Laden“, 5 €"),
        ("b\udcfcro.csv", r"b\udcfcro.csv"),
        (r"a \x1b that was typed", r"a \x1b that was typed"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("reason", [*MARKUP, ESCAPES])
def test_any_reason_is_shown_as_it_was_given(reason: str) -> None:
    shown = printable(reason)
    assert f"Reason: {shown}" in call("champion", "set", "snaive_52", "--reason", reason).stdout
    assert shown in call("champion", "history").stdout
    assert f"Reason: {shown}" in call("champion", "show").stdout
    kept = json.loads(call("champion", "history", "--json").stdout)
    assert kept[0]["reason"] == reason


@pytest.mark.parametrize("name", [*(each for each in MARKUP if "/" not in each), "\x1b[2J.csv"])
def test_names_of_files_are_shown_as_they_are(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    days = [f"2026-10-{day:02d}" for day in range(1, 29)]
    rows = [("1", "a", day, "1") for day in days]
    write_csv(folder / "sales.csv", ["store", "department", "date", "sales"], rows)
    (folder / f"{name}.txt").write_text("left")
    mapping = write_mapping(tmp_path / "m.yml", grain="daily", week_ends_on="saturday")
    told = call("ingest", folder, "--mapping", mapping)
    assert f"left {printable(name)}.txt" in told.stderr
    # As the name of the source too, which an error tells.
    told = call("ingest", tmp_path / name, "--mapping", mapping, code=2)
    assert printable(str(tmp_path / name)) in told.stderr.replace("\n", "")


def test_texts_of_a_mapping_and_of_options_are_shown_as_they_are(tmp_path: Path) -> None:
    mapping = tmp_path / "m.yml"
    mapping.write_text('"\\e[31m[/x]": 1\n', encoding="utf-8")
    told = call("ingest", tmp_path, "--mapping", mapping, code=2)
    assert r"unknown key '\x1b[31m[/x]'" in told.stderr
    assert r"\x1b[31m" in call("--\x1b[31m", code=2).stderr
    assert r"\x1b[31m" in call("\x1b[31m", code=2).stderr
    assert r"\x1b[31m" in call("run", "--model", "\x1b[31m", code=2).stderr


def test_an_error_that_nobody_foresaw_is_harmless_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError(ESCAPES)

    monkeypatch.setattr("salescast.commands.status", fail)
    assert f"unexpected ValueError: {WRITTEN}" in call("status", code=1).stderr


@pytest.mark.parametrize("text", [*MARKUP, ESCAPES])
def test_progress_and_tables_take_any_text(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConsoleProgress() as progress:
        progress.say(text)
        written = io.StringIO()
        progress._console = Console(file=written, force_terminal=True, highlight=False)
        with progress:
            progress.update(text)
            progress.say(text)
    print_table(text, ["text"], [[text]])
    said = capsys.readouterr()
    assert said.err.rstrip("\n") == printable(text)
    assert said.out.count(printable(text).rstrip()) == 2
    assert printable(text) in written.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: needs a pseudo-terminal of Linux")
def test_on_a_terminal_a_draft_is_harmless_and_in_a_pipe_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "sales\x1b[31m.csv"
    rows = [("1", "a", f"2026-10-{day:02d}", "1") for day in range(1, 29)]
    write_csv(file, ["store", "department", "date", "sales"], rows)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "salescast", "map", str(file)],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "python")},
    )
    os.close(theirs)
    shown = b""
    # The end of a terminal is an error on Linux.
    try:
        while part := os.read(ours, 1 << 16):
            shown += part
    except OSError:
        pass
    assert process.wait() == 0
    assert b"\x1b" not in shown
    assert b"sales" in shown
