"""Parts of the dbt project build alone, as who works on a model types it (docs/dbt.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from docs.pages import blocks
from support.dbt_commands import REPOSITORY, Answer, run_dbt

pytestmark = pytest.mark.dbt

MODELS = REPOSITORY / "models"
ALL_EMPTY = ("build", "--empty", "--resource-type", "seed", "--resource-type", "model")
BUILT = ("rpt_forecast_accuracy", "dim_forecast_run", "dim_store", "rpt_loads")
"""One of each kind: over all layers, read by tests of other models, of the sales, of the loads."""
WITH_UNIT_TESTS, NO_UNIT_TESTS = BUILT[0], ("--exclude-resource-type", "unit_test")
"""Of what all others are made from too; they take as long as all the rest."""
WEEK = ("pre_predict", "snaive_calendar", "blend", "post_predict")
"""Selectors of the builds of `salescast run`, with models that have one of their own."""
SHARED = "whatever_landed"
"""Selector of `salescast build`, which makes no forecasts."""
PUBLIC = sorted(
    path.stem for layer in ("marts", "reports") for path in (MODELS / layer).rglob("*.sql")
)


@dataclass
class Project:
    """The project's nodes, and what the fixture's commands said; dbt's files lie in the folder."""

    folder: Path
    nodes: dict[str, dict[str, Any]]
    answers: dict[tuple[str, ...], Answer]

    def upstream(self, model: str) -> set[str]:
        """A model and all models and seeds that it is made from, by unique id."""
        found: set[str] = set()
        waiting = [f"model.salescast.{model}"]
        while waiting:
            node = waiting.pop()
            if node in self.nodes and node not in found:
                found.add(node)
                waiting += self.nodes[node]["depends_on"].get("nodes", [])
        return found


def listed(selected: str) -> tuple[str, ...]:
    return ("ls", "--resource-type", "test", "--select", selected)


def listed_in_a_week(selector: str) -> tuple[str, ...]:
    return ("ls", "--resource-type", "test", "--selector", selector)


def with_upstream(model: str) -> tuple[str, ...]:
    left_out = () if model == WITH_UNIT_TESTS else NO_UNIT_TESTS
    return ("build", "--select", f"+{model}", *left_out)


def deferring(model: str, state: Path) -> tuple[str, ...]:
    return ("build", "--select", model, "--defer", "--state", str(state))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An empty home, on which all public models are listed and some are built."""
    folder = tmp_path_factory.mktemp("dbt")
    target, home = folder / "target", folder / "home"
    commands = [listed(name) for model in PUBLIC for name in (model, f"+{model}")]
    commands += [listed_in_a_week(selector) for selector in (*WEEK, SHARED)]
    for model in BUILT:
        commands += [("fresh",), with_upstream(model)]
    commands += [("fresh",), ALL_EMPTY, *(("build", "--select", model) for model in BUILT)]
    # Those of a change are in schemas of their own, beside the others in the same file.
    deferred = [deferring(model, target) for model in BUILT]
    answered = [command for command in commands if command != ("fresh",)] + deferred
    answers = run_dbt(commands, target, home)
    answers += run_dbt(deferred, folder / "change", home, {"SALESCAST_SCHEMA": "change"})
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    return Project(folder, nodes, dict(zip(answered, answers, strict=True)))


def test_selected_tests_read_only_what_is_selected_or_comes_before(project: Project) -> None:
    assert len(PUBLIC) > 20
    for model in PUBLIC:
        there = project.upstream(model)
        for name in (model, f"+{model}"):
            tests = project.answers[listed(name)].listed
            read = {node for test in tests for node in project.nodes[test]["depends_on"]["nodes"]}
            # The lake's tables are made before anything else.
            missing = {node for node in read - there if not node.startswith("source.")}
            assert not missing, name
            own = [test for test in tests if f".key_is_unique_{model}_" in test]
            assert len(own) == 1, name


def test_each_test_of_data_is_in_one_of_the_builds_of_a_week(project: Project) -> None:
    tests_of_a_week = [
        test for name in WEEK for test in project.answers[listed_in_a_week(name)].listed
    ]
    tests = [name for name in project.nodes if name.startswith("test.")]
    assert sorted(tests_of_a_week) == sorted(tests)
    of_models = {"snaive_calendar", "blend"}
    shared = [
        test
        for name in WEEK
        if name not in of_models
        for test in project.answers[listed_in_a_week(name)].listed
    ]
    assert sorted(shared) == sorted(project.answers[listed_in_a_week(SHARED)].listed)


@pytest.mark.parametrize("model", BUILT)
def test_a_model_is_built_with_what_it_is_made_from(project: Project, model: str) -> None:
    answer = project.answers[with_upstream(model)]
    assert answer.succeeded, answer.messages
    built = {node for node in answer.statuses if node.startswith(("model.", "seed."))}
    assert built == project.upstream(model)


@pytest.mark.parametrize("model", BUILT)
def test_a_model_is_built_alone_where_the_others_are_empty(project: Project, model: str) -> None:
    assert project.answers[ALL_EMPTY].succeeded, project.answers[ALL_EMPTY].messages
    answer = project.answers["build", "--select", model]
    assert answer.succeeded, answer.messages
    assert [node for node in answer.statuses if node.startswith("model.")] == [
        f"model.salescast.{model}"
    ]


@pytest.mark.parametrize("model", BUILT)
def test_a_model_is_built_on_the_tables_of_another_schema(project: Project, model: str) -> None:
    answer = project.answers[deferring(model, project.folder / "target")]
    assert answer.succeeded, answer.messages
    assert f"model.salescast.{model}" in answer.statuses


def test_the_page_says_what_is_typed_here() -> None:
    typed = {
        ("build",),
        ("build", "--target", "athena"),
        ("build", "--select", "+MODEL"),
        ALL_EMPTY,
        ("build", "--select", "MODEL"),
        deferring("MODEL", Path("STATE")),
    }
    commands = [words for block in blocks("docs/dbt.md") for words in block.commands]
    assert {tuple(words[1:]) for words in commands if words[0] == "dbt"} == typed
