"""What the pages tell a reader to type is typed, top to bottom, or the table says why it is not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from docs.pages import PAGES, ROOT, Code, blocks, spans
from salescast.lake import Lake
from support.project import TINY_MODEL
from support.sources import write_csv
from support.warehouse import NO_TESTS

pytestmark = [pytest.mark.dbt, pytest.mark.torch]

README, OPERATIONS = "README.md", "docs/operations.md"
SECTIONS = ("Your own data", "Adding things")
"""Of the README, whose commands stand in the text."""

ON_AWS = "needs an AWS account; on the local AWS: tests/python/{}"
IN_CI = "is what CI runs itself, or what makes the environment"
DOCKER = "needs Docker; without it: tests/python/container/{}"
ATHENA_WEEK = ON_AWS.format("on_athena/test_week.py")
SAGEMAKER_WEEK = ON_AWS.format("on_sagemaker/test_week.py")
PARTS = "test_parts_of_the_project.py"

NOT_RUN = [
    (README, "git clone <this repository>", IN_CI),
    (README, "pip install dist/salescast-*.whl", "is run by tests/python/test_wheel.py"),
    (README, "export SALESCAST_TARGET=athena", ATHENA_WEEK),
    (README, "export SALESCAST_FORECASTER=sagemaker", SAGEMAKER_WEEK),
    (README, "models/  ", "is a tree of folders"),
    (README, "salescast run --model snaive_calendar", "is a part of `salescast run --backtests 2`"),
    ("CONTRIBUTING.md", "make ", IN_CI),
    ("docs/athena.md", "export SALESCAST_TARGET=athena", ATHENA_WEEK),
    ("docs/athena.md", "python -m local_aws up", "starts Trino; so does on_athena/conftest.py"),
    ("docs/dbt.md", "dbt build", "is run by `make dbt`, on_athena/test_bare_build.py and " + PARTS),
    ("docs/dbt.md", "export SALESCAST_SCHEMA=change", "is run by " + PARTS),
    ("docs/direct.md", "salescast backtest", "needs a home; recipes/test_own_algorithms.py"),
    ("docs/mstl-ets.md", "salescast backtest", "needs a home; recipes/test_own_algorithms.py"),
    ("docs/sagemaker.md", "export SALESCAST_FORECASTER=sagemaker", SAGEMAKER_WEEK),
    ("docs/sagemaker.md", "python -m local_aws up", "starts a stack; so does on_sagemaker"),
    ("packages/local-aws/README.md", "python -m local_aws up", "is run by on_athena/test_stack.py"),
    ("packages/local-aws/README.md", "dbt, boto3, PyAthena ──", "is a drawing"),
    (
        "packages/local-aws/README.md",
        "curl -d",
        "needs Trino; packages/local-aws/tests/gateway",
    ),
    ("packages/local-aws/README.md", "with running_stack(", "starts Trino; on_athena/conftest.py"),
    ("docs/your-data.md", "salescast ingest docs/examples/", "is run by docs/test_examples.py"),
    ("docs/adding-a-recipe.md", '"""The last sale', "is run by recipes/test_adding_a_recipe.py"),
    ("docs/adding-a-recipe.md", "from support", "is run by recipes/test_adding_a_recipe.py"),
    ("deploy/image/README.md", "docker build", DOCKER.format("test_image.py")),
    ("deploy/image/README.md", "docker run", DOCKER.format("test_serve.py")),
    (
        "benchmarks/README.md",
        ".venv/bin/python benchmarks/",
        "needs Walmart's files",
    ),
]
"""Page, how the block or command begins, and why it is not run here."""

SQL_MODEL = '[snaive_52]\nrecipe = "sql"\nrelation = "baseline_snaive_52"\n'


@dataclass
class Shop:
    """A project folder with `data/` and `mappings/mine.yml`, as the README's reader has it."""

    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)

    def type(self, code: Code) -> None:
        """Run a block or an inline command as the shell would, with values for placeholders."""
        text = code.text
        for name, value in self.values.items():
            text = re.sub(rf"\b{name}\b", value, text)
        self.printed[code.first_line] = self.shell(text, code.place)

    def shell(self, text: str, place: str = "preparation") -> str:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("SALESCAST_")}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env={
                **inherited,
                **NO_TESTS,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT / "python"),
                "SALESCAST_MEMORY_LIMIT": "1GB",
                "SALESCAST_THREADS": "2",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{place}: {text}\n{done.stdout}"
        return done.stdout

    def marts(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.folder / "var" / "marts.duckdb"), read_only=True) as marts:
            return marts.execute(sql).fetchall()

    def only_load(self) -> str:
        with duckdb.connect() as lake:
            scan = Lake(self.folder / "var" / "lake").scan_sql("raw_loads")
            [(load_id,)] = lake.execute(f"select load_id from ({scan})").fetchall()
        return load_id


def why_not(code: Code) -> str:
    """Why a block or a command is not run; empty if it is."""
    found = [
        why
        for page, begin, why in NOT_RUN
        if page == code.page and code.first_line.startswith(begin)
    ]
    return found[0] if found else ""


def section_commands(heading: str) -> list[Code]:
    return [code for code in spans(README, heading) if code.text.startswith("salescast ")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The project with small networks, a chain's files, and a load that was wrong."""
    folder = tmp_path_factory.mktemp("shop")
    for name in ("dbt_project.yml", "profiles.yml", "selectors.yml"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("macros", "models", "seeds", "tests"):
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    models = [TINY_MODEL.replace("[tiny", f"[{name}") for name in ("deepar", "mine")]
    (folder / "models.toml").write_text("\n".join([SQL_MODEL, *models]), encoding="utf-8")
    (folder / "mappings").mkdir()
    mapping = (ROOT / "mappings" / "demo.yml").read_text(encoding="utf-8")
    mine = mapping.replace("\nname: demo\n", "\nname: mine\n")
    (folder / "mappings" / "mine.yml").write_text(mine, encoding="utf-8")
    made = Shop(folder)
    made.shell("salescast simulate data --stores 2 --departments 2 --weeks 130")
    header = ("store", "department", "date", "sales", "is_holiday", "is_stocked_out")
    write_csv(folder / "wrong" / "sales.csv", header, [("1", "1", "2026-10-01", "9", "", "")])
    made.shell("salescast ingest wrong --mapping mappings/mine.yml")
    made.values["LOAD_ID"] = made.only_load()
    return made


@pytest.fixture(scope="module")
def own_data(shop: Shop) -> Shop:
    for code in section_commands("Your own data"):
        if not why_not(code):
            shop.type(code)
    [(run_id,)] = shop.marts(
        "select run_id from salescast_marts.dim_forecast_run"
        " where model_id = 'deepar' and kind = 'live'"
    )
    shop.values["RUN_ID"] = run_id
    return shop


@pytest.fixture(scope="module")
def with_additions(own_data: Shop) -> Shop:
    for code in section_commands("Adding things"):
        # It would train twice more; what it asks for is read, checked and planned all the same.
        own_data.type(replace(code, text=f"{code.text} --dry-run"))
    return own_data


@pytest.fixture(scope="module")
def operated(with_additions: Shop) -> Shop:
    shop = with_additions
    grow_old(min((shop.folder / "var" / "batches").glob("*/batch.json")))
    for block in blocks(OPERATIONS):
        shop.type(block)
    return shop


def grow_old(batch: Path) -> None:
    """Make a batch one that was finished a hundred days ago."""
    record = json.loads(batch.read_text("utf-8"))
    for attempt in record["attempts"]:
        attempt["finished_at"] = (datetime.now(UTC) - timedelta(days=100)).isoformat()
    batch.write_text(json.dumps(record), encoding="utf-8")


def test_every_block_is_run_or_the_table_says_why():
    told = [
        code.place
        for page in PAGES
        for code in blocks(page)
        if code.language in ("", "python") and page != OPERATIONS and not why_not(code)
    ]
    assert told == []
    assert [b.place for b in blocks(OPERATIONS) if b.language or why_not(b)] == []


def test_the_table_has_nothing_else():
    codes = [code for page in PAGES for code in blocks(page)]
    codes += [code for heading in SECTIONS for code in section_commands(heading)]
    unmatched = [
        (page, begin)
        for page, begin, _ in NOT_RUN
        if not any(c.page == page and c.first_line.startswith(begin) for c in codes)
    ]
    assert unmatched == []
    # Where it says which test runs it, that is a file.
    named = {path for _, _, why in NOT_RUN for path in re.findall(r"[\w/-]+\.py", why)}
    missing = [path for path in named if not (ROOT / path).is_file()]
    assert [path for path in missing if not (ROOT / "tests/python" / path).is_file()] == []


def test_your_own_data(own_data: Shop):
    kinds = own_data.marts(
        "select model_id, count(*) from salescast_marts.dim_forecast_run group by 1 order by 1"
    )
    assert kinds == [("deepar", 3), ("snaive_52", 3)]
    assert own_data.marts(
        "select count(*) from salescast_marts.fct_weekly_sales where sales = 9"
    ) == [(0,)]
    assert own_data.values["RUN_ID"] in own_data.printed["salescast status"]
    assert (own_data.folder / "var" / "report.html").is_file()


def test_queries_find_rows(own_data: Shop):
    queries = [
        code
        for page in PAGES
        for code in spans(page)
        if code.text.startswith(("select ", "with ")) and " salescast_" in code.text
    ]
    assert queries
    for query in queries:
        assert own_data.marts(query.text), query.place


def test_adding_things(with_additions: Shop):
    (code,) = section_commands("Adding things")
    printed = with_additions.printed[f"{code.text} --dry-run"]
    assert "runs: 3 (snaive_52, mine, deepar at each cutoff)" in printed


def test_operations(operated: Shop):
    printed = "\n".join(operated.printed[block.first_line] for block in blocks(OPERATIONS))
    assert "would start this; nothing is started now" in printed
    run_id = operated.values["RUN_ID"]
    assert f"The champion is deepar with the trained model {run_id}" in printed
    # What the champion's run forecast with was trained by another.
    [(n_by_it,)] = operated.marts(
        f"select count(*) from salescast_marts.dim_forecast_run where trained_model_id = '{run_id}'"
    )
    assert n_by_it == 2
    assert re.search(r"\b[1-9]\d* would go", printed)
    assert re.search(r"\b[1-9]\d* removed", printed)
    assert f"withdrawn {run_id}" in printed
    [(withdrawn,)] = operated.marts(
        "select run_id from salescast_marts.dim_forecast_run where withdrawn_at is not null"
    )
    assert withdrawn == run_id
