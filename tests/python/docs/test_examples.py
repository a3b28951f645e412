"""The three examples of docs/your-data.md: what they print, and what has landed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import duckdb
import pytest
import yaml
from click.testing import CliRunner

from docs.pages import ROOT, Code, blocks
from salescast.cli import cli
from salescast.lake import Lake

PAGE = "docs/your-data.md"

# Rows, their sum in hundredths, and some of them, added up by hand from the files.
LANDED = {
    "till": (60, 7_145_385, [("Köln", "Käse", "2026-11-22", 137_580)]),
    "webshop": (
        20,
        21_080,
        [
            ("DE", "TEA-GREEN", "2026-11-22", 980),
            ("DE", "MUG-BLUE", "2026-11-20", -745),
            ("DE", "MUG-BLUE", "2026-11-21", 0),
        ],
    ),
    "erp": (398, 31_491_800, [("1000", "FLOUR-25", "2026-10-31", 127_100)]),
}


def parts_of(name: str) -> tuple[Code, Code, Code, Code]:
    """The lines of a file, the mapping, the commands and the print of an example."""
    page = blocks(PAGE)
    (n,) = [n for n, each in enumerate(page) if f"docs/examples/{name}.yml" in each.text]
    return page[n - 2], page[n - 1], page[n], page[n + 1]


def assert_shown(shown: str, lines: list[str]) -> None:
    """Lines of a file as a page shows them: `…` stands for lines, or for the end of one, left out.

    The last line of the file is below such a line.
    """
    first, _, last = shown.partition("\n…\n")
    wanted = first.splitlines()
    pairs = list(zip(wanted, lines[: len(wanted)], strict=True))
    if last:
        pairs += zip(last.splitlines(), lines[-len(last.splitlines()) :], strict=True)
    for each, line in pairs:
        assert line.startswith(each[:-1]) if each.endswith("…") else line == each


@pytest.mark.parametrize("name", LANDED)
def test_the_lines_shown_are_in_the_file(name: str) -> None:
    lines, mapping, commands, _ = parts_of(name)
    (path, *_) = re.findall(r"docs/examples/\S+\.csv", commands.text)
    encoding = yaml.safe_load(mapping.text)["tables"]["sales"].get("encoding", "utf-8")
    assert_shown(lines.text, (ROOT / path).read_text(encoding=encoding).splitlines())


@pytest.mark.parametrize("name", LANDED)
def test_an_example_prints_and_lands_what_its_page_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, mapping, commands, printed = parts_of(name)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path))
    told = ""
    for line in commands.text.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "salescast"
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        told += result.output
    assert re.sub(r"load \d{8}t\w+-\w+", "load LOAD_ID", told) == printed.text

    whole = yaml.safe_load((ROOT / f"docs/examples/{name}.yml").read_text(encoding="utf-8"))
    shown = yaml.safe_load(mapping.text)
    assert shown["tables"] == whole.pop("tables")
    assert {key: whole[key] for key in shown if key != "tables"} == {
        key: value for key, value in shown.items() if key != "tables"
    }

    with duckdb.connect() as connection:
        sales = f"({Lake(tmp_path / 'lake').scan_sql('raw_sales')})"
        number = "cast(100 * cast(sales as decimal(18, 4)) as bigint)"
        found = connection.execute(
            f"select store, department, date, {number} from {sales}"
        ).fetchall()
    n_rows, hundredths, few = LANDED[name]
    assert (len(found), sum(row[3] for row in found)) == (n_rows, hundredths)
    for row in few:
        assert row in found
