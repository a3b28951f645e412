"""What the forecaster refuses before any job: missing settings, other models, other artifacts."""

from __future__ import annotations

from typing import Any

import pytest

from salescast.errors import UserError
from salescast.forecaster.local import LocalForecaster
from salescast.forecaster.sagemaker.forecaster import SageMakerForecaster
from salescast.forecaster.sagemaker.images import built_in_image
from salescast.forecaster.sagemaker.settings import SageMakerSettings, load_sagemaker_settings
from salescast.settings import load_settings

ROLE = "arn:aws:iam::123456789012:role/salescast"
OURS = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/salescast:1"
EXTENSIONS = {"seed": 3, "lags": [1]}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")


def forecaster(region: str = "eu-central-1", **changes: Any) -> SageMakerForecaster:
    settings = load_settings(
        forecaster="sagemaker", region=region, sagemaker_staging="s3://bucket/staging"
    )
    return SageMakerForecaster(settings, SageMakerSettings(**{"role_arn": ROLE, **changes}))


def test_settings_that_fit_are_ready() -> None:
    forecaster().check_ready()
    forecaster(image=OURS, transform_instance_type="ml.g5.xlarge").check_ready()
    forecaster(train_instance_count=2).check_ready()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"role_arn": None}, "SALESCAST_SAGEMAKER_ROLE_ARN"),
        ({"subnets": ("subnet-1",)}, "SALESCAST_SAGEMAKER_SECURITY_GROUPS"),
        ({"security_groups": ("sg-1",)}, "SALESCAST_SAGEMAKER_SUBNETS"),
        (
            {"transform_instance_type": "ml.g5.xlarge"},
            "SALESCAST_SAGEMAKER_TRANSFORM_INSTANCE_TYPE",
        ),
        (
            {"train_instance_count": 2, "image": OURS},
            "SALESCAST_SAGEMAKER_TRAIN_INSTANCE_COUNT",
        ),
        ({"train_instance_type": "ml.c5.huge"}, "SALESCAST_SAGEMAKER_TRAIN_INSTANCE_TYPE"),
        ({"region": "mx-central-1"}, "AWS_REGION"),
        ({"image": OURS, "region": "us-east-1"}, "SALESCAST_SAGEMAKER_IMAGE"),
        ({"image": "salescast:1"}, "SALESCAST_SAGEMAKER_IMAGE"),
    ],
)
def test_what_cannot_work_is_refused_early(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        forecaster(**changes).check_ready()
    assert where in str(caught.value.where)
    assert caught.value.fix


def test_a_role_that_is_none_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_SAGEMAKER_ROLE_ARN", "salescast-jobs")
    with pytest.raises(UserError, match="SALESCAST_SAGEMAKER_ROLE_ARN") as caught:
        load_sagemaker_settings()
    assert "arn:aws:iam::" in str(caught.value.fix)


def test_extensions_are_for_our_image_only() -> None:
    forecaster().check_model("plain", {})
    forecaster(image=OURS).check_model("deepar", EXTENSIONS)
    with pytest.raises(UserError, match="deepar has lags, seed") as caught:
        forecaster().check_model("deepar", EXTENSIONS)
    assert "SALESCAST_SAGEMAKER_IMAGE" in str(caught.value.fix)


def test_an_artifact_is_read_by_the_program_that_trained_it() -> None:
    built_in, here = built_in_image("eu-central-1"), "salescast.deepar 0.1.0"
    forecaster().check_artifact(built_in_image("eu-west-1"))
    forecaster(image=OURS).check_artifact(here)
    LocalForecaster(threads=1).check_artifact(OURS)
    for refuses, program in (
        (forecaster(), here),
        (forecaster(), OURS),
        (forecaster(image=OURS), built_in),
        (LocalForecaster(threads=1), built_in),
    ):
        with pytest.raises(UserError, match="was trained by"):
            refuses.check_artifact(program)
