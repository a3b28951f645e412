"""What the pages of the repository hold: blocks, inline code, links, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = (
    *("README.md", "CONTRIBUTING.md", "AGENTS.md", "CHANGELOG.md", "SECURITY.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
    *("packages/local-aws/README.md", "deploy/image/README.md", "benchmarks/README.md"),
)

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_ENDS_A_COMMAND = {"&&", "||", ";", "|", "&"}


@dataclass(frozen=True)
class Code:
    """A fenced block, or inline code on one line of text; `language` is that of a block."""

    page: str
    line: int
    text: str
    language: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def first_line(self) -> str:
        return self.text.splitlines()[0]

    @property
    def commands(self) -> list[list[str]]:
        """The simple commands of the text, as words; those of `$(…)` are commands too."""
        return list(_commands(self.text.replace("\\\n", " ")))


def blocks(page: str) -> list[Code]:
    """All fenced blocks of a page, from top to bottom."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Code(page, _line(text, m.start()), m[2], m[1]) for m in _FENCED.finditer(text)]


def spans(page: str, heading: str = "") -> list[Code]:
    """All inline code outside the blocks, of one `##` section if its heading is given."""
    text = (ROOT / page).read_text(encoding="utf-8")
    # As many lines as before, so that places stay right.
    prose = _FENCED.sub(lambda m: "\n" * m[0].count("\n"), text)
    begin, end = 0, len(prose)
    if heading:
        begin = prose.index(f"\n## {heading}\n")
        after = prose.find("\n## ", begin + 1)
        end = after if after > 0 else end
    return [
        Code(page, _line(prose, m.start()), " ".join(m[1].split()))
        for m in _INLINE.finditer(prose, begin, end)
    ]


def links(page: str) -> list[str]:
    """What the links of a page point to, without those to the web."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in found if not target.startswith("http")]


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _commands(text: str) -> Iterator[list[str]]:
    for whole in text.splitlines():
        line = whole
        while found := _SUBSTITUTION.search(line):
            yield from _commands(found[1])
            line = line.replace(found[0], "SUBSTITUTED")
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if word in _ENDS_A_COMMAND:
                yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words
