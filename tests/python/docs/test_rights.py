"""The policy of docs/sagemaker.md: all that the forecaster asks for, and nobody else's jobs."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from salescast.forecaster.sagemaker.jobs import TRAINING, TRANSFORM
from salescast.forecaster.sagemaker.requests import RUN_TAG, Requests, Staging
from salescast.forecaster.sagemaker.settings import SageMakerSettings
from salescast.week.batch import new_batch_id, run_id_of

PAGE = Path(__file__).parents[3] / "docs" / "sagemaker.md"
ARN = "arn:aws:sagemaker:eu-central-1:123456789012"
KINDS = {"TrainingJob": "training-job", "TransformJob": "transform-job", "Model": "model"}


@pytest.fixture(scope="module")
def statements() -> list[dict[str, Any]]:
    """The caller's statements, the page's first block of JSON."""
    (block, *_) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    text = block.replace("REGION", "eu-central-1").replace("ACCOUNT", "123456789012")
    found: list[dict[str, Any]] = json.loads(text)["Statement"]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def is_allowed(
    statements: list[dict[str, Any]], action: str, resource: str, **context: str
) -> bool:
    """What IAM says, as far as these statements need it: no one denies, one allows."""
    keys = {key.replace("__", ":", 1): value for key, value in context.items()}
    assert all(each["Effect"] == "Allow" for each in statements)
    return any(
        any(fnmatchcase(f"sagemaker:{action}", each) for each in as_list(statement["Action"]))
        and any(fnmatchcase(resource, each) for each in as_list(statement["Resource"]))
        and all(
            holds(test, key, as_list(wanted), keys)
            for test, conditions in statement.get("Condition", {}).items()
            for key, wanted in conditions.items()
        )
        for statement in statements
    )


def holds(test: str, key: str, wanted: list[str], keys: dict[str, str]) -> bool:
    if test == "Null":
        return [str(key not in keys).lower()] == wanted
    assert test == "StringEquals"
    return keys.get(key) in wanted


def requests_of(run_id: str) -> Requests:
    settings = SageMakerSettings(role_arn="arn:aws:iam::123456789012:role/salescast-jobs")
    return Requests(run_id, "image", Staging(f"s3://bucket/staging/{run_id}"), settings)


def names_of(run_id: str, attempt: int) -> dict[str, str]:
    requests = requests_of(run_id)
    return {
        "TrainingJob": requests.training_job_name(attempt),
        "TransformJob": requests.transform_job_name(attempt),
        "Model": requests.model_name(attempt),
    }


TAGGED = {"aws__ResourceTag/" + RUN_TAG: "r"}
ASKED = {"aws__RequestTag/" + RUN_TAG: "r"}


@pytest.mark.parametrize("model_id", ["deepar", "a", "m" * 30, "my_own_model"])
@pytest.mark.parametrize("attempt", [1, 12])
def test_all_that_is_asked_for_is_allowed(
    statements: list[dict[str, Any]], model_id: str, attempt: int
) -> None:
    run_id = run_id_of(new_batch_id(), 9, model_id)
    for noun, name in names_of(run_id, attempt).items():
        resource = f"{ARN}:{KINDS[noun]}/{name}"
        create = f"Create{noun}"
        assert is_allowed(statements, create, resource, **ASKED)
        assert is_allowed(statements, "AddTags", resource, sagemaker__TaggingAction=create)
        assert is_allowed(statements, f"Describe{noun}", resource)
        ends = "DeleteModel" if noun == "Model" else f"Stop{noun}"
        assert is_allowed(statements, ends, resource, **TAGGED)
    assert is_allowed(statements, "ListTags", f"{ARN}:model/{names_of(run_id, attempt)['Model']}")
    for action in ("ListTrainingJobs", "ListModels"):
        assert is_allowed(statements, action, "*")


@pytest.mark.parametrize("noun", list(KINDS))
@pytest.mark.parametrize(
    ("name", "is_tagged"),
    [
        ("nightly-fraud-train-1", True),
        ("20261122t000000-ab12", True),
        ("pipelines-x-20261122t000000-ab12-1-deepar", True),
        ("20261122t000000-ab12-1-deepar-OURS-1", False),
    ],
)
def test_nobody_elses_jobs_and_models_are_touched(
    statements: list[dict[str, Any]], noun: str, name: str, is_tagged: bool
) -> None:
    """Neither what carries the tag under another name, nor what has such a name and no tag."""
    ours = {"TrainingJob": "train", "TransformJob": "predict", "Model": "model"}[noun]
    resource = f"{ARN}:{KINDS[noun]}/{name.replace('OURS', ours)}"
    tags = TAGGED if is_tagged else {}
    ends = "DeleteModel" if noun == "Model" else f"Stop{noun}"
    assert not is_allowed(statements, ends, resource, **tags)
    # Nor may the tag be added first.
    assert not is_allowed(statements, "AddTags", resource)
    if not is_tagged:
        assert not is_allowed(statements, f"Create{noun}", resource)


def test_no_action_reaches_all_of_the_account_but_the_lists(
    statements: list[dict[str, Any]],
) -> None:
    for statement in statements:
        actions = [each for each in as_list(statement["Action"]) if each.startswith("sagemaker:")]
        wide = [each for each in as_list(statement["Resource"]) if re.search(r"(^|[:/])\*$", each)]
        assert not (wide and actions) or {*actions} <= {
            "sagemaker:ListTrainingJobs",
            "sagemaker:ListModels",
        }
    named = {action for each in statements for action in as_list(each["Action"])}
    assert not any("*" in action for action in named)


def test_every_request_carries_the_tag() -> None:
    requests = requests_of(run_id_of(new_batch_id(), 1, "deepar"))
    for request in (
        requests.training_job(1, {}, "s3://bucket/train/"),
        requests.model(1),
        requests.transform_job(1),
    ):
        assert {"Key": RUN_TAG, "Value": requests.run_id} in request["Tags"]


def test_the_policy_names_what_the_program_sends(statements: list[dict[str, Any]]) -> None:
    named = {action for each in statements for action in as_list(each["Action"])}
    sent = {f"sagemaker:{verb}Model" for verb in ("Create", "Describe", "Delete")}
    sent |= {
        f"sagemaker:{kind.operation(verb)}"
        for kind in (TRAINING, TRANSFORM)
        for verb in ("Create", "Describe", "Stop")
    }
    assert sent <= named
