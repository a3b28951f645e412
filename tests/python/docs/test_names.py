"""Every command, file, setting and table that the pages name is there."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import click
import pytest
import yaml
from dbt.cli.main import cli as dbt

from docs.pages import PAGES, ROOT, Code, blocks, links, spans
from local_aws.__main__ import main as local_aws
from salescast.cli import cli as salescast
from salescast.forecaster.sagemaker.settings import PREFIX, SageMakerSettings
from salescast.recipes.catalogue import read_models
from salescast.settings import Settings

OTHER_VARIABLES = {"SALESCAST_WALMART_DIR": "where tests and benchmarks find Walmart's files"}
"""Names that no settings object has."""

PROGRAMS_OF_OTHERS = ("aws", "cd", "curl", "docker", "eval", "git", "pip", "pre-commit")
READERS_FILES = (
    *("mappings/mine.yml", "prices.csv", "python/salescast/recipes/last_value.py"),
    "salescast/recipes/NAME.py",
    # Walmart's, from Kaggle.
    *("train.csv", "features.csv", "stores.csv"),
)
"""Files that a page tells its reader to make or to fetch."""

VALUES = {"DATE": "2026-01-31", "N": "2"}
"""What stands for a placeholder whose value is parsed; others are any text."""

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_SELECTORS = ("config", "state", "tag", "test_type")
_LAYERS = "staging|intermediate|exports|baselines|marts|reports"
_TABLE = re.compile(rf"(?:(?:salescast_)?({_LAYERS})\.)?((?:dim|fct|rpt|exp|int|stg|baseline)_\w+)")
_FILE = re.compile(r"[\w./-]*\w\.(?:py|sh|sql|yml|toml|lock|csv|md)")

ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in ALL_BLOCKS if block.language == ""]
SPANS = [span for page in PAGES for span in spans(page)]


def is_command(text: str) -> bool:
    """Whether inline code is a command or an assignment, not a word that looks like one."""
    starts = ("salescast ", "make ", "dbt ", "python ", ".venv/bin/", "scripts/", "docker ")
    return bool(re.match(r"[A-Z_]+=", text)) or (text.startswith(starts) and "…" not in text)


def is_drawing(block: Code) -> bool:
    """Whether a block without a language is a picture or a tree of folders."""
    return "──" in block.text or block.first_line.startswith("models/ ")


def parse(command: click.Command, words: Sequence[str], parent: click.Context | None = None) -> str:
    """What click finds wrong with a command line, without carrying it out; empty if nothing."""
    try:
        with command.make_context(
            parent.info_name if parent else None, list(words), parent=parent
        ) as context:
            if not isinstance(command, click.Group):
                return ""
            rest = [*getattr(context, "_protected_args", []), *context.args]
            _, chosen, rest = command.resolve_command(context, rest)
            assert chosen is not None
            return parse(chosen, rest, context)
    except click.exceptions.Exit:
        return ""  # --help
    except click.UsageError as error:
        return error.format_message() or type(error).__name__


def check_salescast(words: Sequence[str]) -> str:
    return parse(salescast, [VALUES.get(word, word) for word in words])


def check_make(words: Sequence[str]) -> str:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, sign, _ = word.partition("=")
        if sign and f"$({name})" not in makefile and f"({name})," not in makefile:
            return f"the Makefile reads no variable {name}"
        if not sign and not re.search(rf"^{re.escape(name)}:.*##", makefile, re.MULTILINE):
            return f"the Makefile has no target {name}"
    return ""


def check_dbt(words: Sequence[str]) -> str:
    if words[0] == "run-operation" and not any(
        f"macro {words[1]}(" in path.read_text("utf-8") for path in (ROOT / "macros").rglob("*.sql")
    ):
        return f"there is no macro {words[1]}"
    for option, value in pairwise(words):
        if option not in ("--select", "-s", "--exclude"):
            continue
        for part in value.split(","):
            method, sign, _ = part.partition(":")
            name = method.split(".")[0] if sign else part.strip("+@")
            if not (name in _SELECTORS if sign else name.isupper() or name in models()):
                return f"nothing to select is called {name}"
    return parse(dbt, words)


def check_python(words: Sequence[str]) -> str:
    if words[0] != "-m":
        return check_files(words[:1])
    if words[1] == "local_aws":
        return parse(local_aws, words[2:])
    if importlib.util.find_spec(words[1]) is None:
        return f"there is no module {words[1]}"
    if words[1] == "salescast.container" and words[2:]:
        program = [sys.executable, "-m", words[1], words[2], "--help"]
        done = subprocess.run(program, capture_output=True, text=True)
        return done.stderr if done.returncode else ""
    return ""


def check_pytest(words: Sequence[str]) -> str:
    chosen = words[words.index("-k") + 1] if "-k" in words else ""
    for word in re.findall(r"\w+", chosen):
        if word not in ("and", "or", "not") and not list((ROOT / "tests").rglob(f"test_*{word}*")):
            return f"no file of tests is called {word}"
    return check_files([word for word in words if "/" in word])


def check_files(words: Sequence[str]) -> str:
    """Paths below the repository's own folders must exist."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"var", "build", "dist"}
    for word in words:
        is_ours = word.split("/")[0] in folders and "/" in word
        if is_ours and word not in READERS_FILES and not (ROOT / word).exists():
            return f"there is no {word}"
    return ""


CHECKS: dict[str, Callable[[Sequence[str]], str]] = {
    "salescast": check_salescast,
    "make": check_make,
    "dbt": check_dbt,
    "python": check_python,
    "pytest": check_pytest,
    "sqlfluff": lambda words: check_files(words[1:]),
}


def wrong_with(words: Sequence[str]) -> str:
    """What is wrong with a simple command; empty if nothing is."""
    if words[0] == "export":
        return next(filter(None, map(wrong_with_variable, words[1:])), "")
    for n, word in enumerate(words):
        if not _ASSIGNMENT.fullmatch(word):
            words = words[n:]
            break
        if problem := wrong_with_variable(word):
            return problem
    else:
        return ""
    program = words[0].removeprefix(".venv/bin/")
    if program != words[0] and not Path(sys.executable).with_name(program).exists():
        return f"nothing in the environment is called {program}"
    if program in CHECKS:
        return CHECKS[program](words[1:]) if words[1:] else ""
    if program in PROGRAMS_OF_OTHERS:
        return check_files(words[1:])
    return check_files([program]) if (ROOT / program).is_file() else f"what is {program}?"


def wrong_with_variable(assignment: str) -> str:
    name = assignment.partition("=")[0]
    known = not name.startswith("SALESCAST_") or name in variables()
    return "" if known else f"there is no setting {name}"


@cache
def variables() -> frozenset[str]:
    """Names of all settings."""
    names = set(OTHER_VARIABLES)
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias or f"SALESCAST_{field.upper()}"
        # The region has AWS's own names.
        names |= {alias} if isinstance(alias, str) else set()
    return frozenset(
        names | {f"{PREFIX}{field.upper()}" for field in SageMakerSettings.model_fields}
    )


@cache
def models() -> dict[str, Path]:
    return {path.stem: path for path in (ROOT / "models").rglob("*.sql")}


@cache
def columns(model: str) -> frozenset[str]:
    for path in (ROOT / "models").rglob("*__models.yml"):
        for each in yaml.safe_load(path.read_text("utf-8"))["models"]:
            if each["name"] == model:
                return frozenset(column["name"] for column in each.get("columns", []))
    return frozenset()


def tracked() -> list[str]:
    """Files that git knows, or would take."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")


def examples(command: click.Command, name: str) -> Iterator[Code]:
    """The examples of a command and its subcommands, as `--help` shows them."""
    for line in (command.epilog or "").splitlines():
        if line.startswith("  "):
            yield Code(f"{name} --help", 0, line.strip())
    if isinstance(command, click.Group):
        for sub, each in command.commands.items():
            yield from examples(each, f"{name} {sub}")


def told(code: Code, problem: str, words: Sequence[str] = ()) -> str:
    return f"{code.place}: {' '.join(words) or code.first_line}: {problem}"


def test_commands_of_blocks_exist():
    wrong = [
        told(block, problem, words)
        for block in SHELL
        if not is_drawing(block)
        for words in block.commands
        if (problem := wrong_with(words))
    ]
    assert wrong == []


def test_commands_in_the_text_exist():
    wrong = []
    for span in filter(lambda span: is_command(span.text), SPANS):
        # `train | transform` are two to choose from.
        for words in span.commands[:1]:
            problem = wrong_with(words)
            # The text may name a command without what it needs.
            if problem and not problem.startswith(("Missing", "Usage:", "NoArgs")):
                wrong.append(told(span, problem))
    assert wrong == []


@pytest.mark.parametrize(("command", "name"), [(salescast, "salescast"), (local_aws, "local_aws")])
def test_examples_of_help_exist(command, name):
    found = list(examples(command, name))
    assert found
    wrong = [told(e, p) for e in found for words in e.commands if (p := wrong_with(words))]
    assert wrong == []


def test_data_in_blocks_is_read(tmp_path):
    reads = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
    for block in ALL_BLOCKS:
        if block.language == "python":
            compile(block.text, block.place, "exec")
        elif block.language in reads:
            reads[block.language](block.text)
        else:
            assert block.language in ("", "mermaid", "text"), block.place


def test_models_in_blocks_are_models(tmp_path):
    (page,) = [block for block in blocks("docs/sagemaker.md") if block.language == "toml"]
    path = tmp_path / "models.toml"
    path.write_text((ROOT / "models.toml").read_text("utf-8") + page.text, encoding="utf-8")
    assert set(tomllib.loads(page.text)) <= set(read_models(path))


def test_files_exist():
    files = tracked()
    wrong = [
        told(span, "there is no such file")
        for span in SPANS
        if _FILE.fullmatch(span.text) and span.text not in READERS_FILES
        if not any(f"/{file}".endswith(f"/{span.text}") for file in files)
    ]
    wrong += [
        told(span, problem)
        for span in SPANS
        if re.fullmatch(r"[\w./-]+", span.text) and (problem := check_files([span.text]))
    ]
    assert wrong == []


def test_links_lead_somewhere():
    wrong = []
    for page in PAGES:
        for target in links(page):
            path, _, heading = target.partition("#")
            other = (ROOT / page).parent / path if path else ROOT / page
            if not other.exists():
                wrong.append(f"{page}: {target}")
            elif heading and heading not in anchors(other):
                wrong.append(f"{page}: {target}: no such heading")
    assert wrong == []


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_modules_exist():
    names = {span.text for span in SPANS if re.fullmatch(r"salescast(\.[a-z]\w*)+", span.text)}
    assert names
    assert [name for name in names if importlib.util.find_spec(name) is None] == []


def test_tables_and_columns_exist():
    wrong = []
    for span in SPANS:
        table, _, column = span.text, "", ""
        if (found := re.fullmatch(rf"({_TABLE.pattern})\.(\w+)", span.text)) is not None:
            table, column = found[1], found[4]
        if (found := _TABLE.fullmatch(table)) is None:
            continue
        layer, model = found[1], found[2]
        path = models().get(model)
        if path is None or (layer and layer not in path.parts):
            wrong.append(told(span, "there is no such table"))
        elif column and column not in columns(model):
            wrong.append(told(span, "there is no such column"))
    assert wrong == []


def test_settings_exist_and_are_told():
    text = "".join((ROOT / page).read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"SALESCAST_[A-Z_]*[A-Z]", text))
    # `SALESCAST_SAGEMAKER_*` stands for all of them.
    assert {name for name in named if f"{name}_*" not in text} <= variables()
    told_shortly = {"SALESCAST_SAGEMAKER_SECURITY_GROUPS": "`…_SECURITY_GROUPS`"}
    missing = [n for n in variables() if n not in named and told_shortly.get(n, n) not in text]
    assert missing == []
