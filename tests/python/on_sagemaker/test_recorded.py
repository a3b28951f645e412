"""Our requests beside those that SageMaker's SDK sends for the same wishes (recorded)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from salescast.container.hyperparameters import to_strings
from salescast.errors import UserError
from salescast.forecaster.sagemaker.images import ACCOUNTS, built_in_image
from salescast.forecaster.sagemaker.requests import Request, Requests, Staging
from salescast.forecaster.sagemaker.settings import SageMakerSettings

RECORDED = Path(__file__).parent / "recorded"
# What scripts/record_sagemaker_requests.py asks the SDK for.
ACCOUNT = "111122223333"
RUN_ID = "deepar-20260829-1"
STAGING = Staging(f"s3://forecasts/staging/{RUN_ID}")
KMS_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OWN_IMAGE = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/salescast-deepar:1"
HYPERPARAMETERS = {
    "time_freq": "W",
    "prediction_length": 13,
    "context_length": 26,
    "epochs": 100,
    "learning_rate": 0.001,
    "likelihood": "student-T",
    "test_quantiles": [0.1, 0.5, 0.9],
}


def _recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def _requests(image: str, **settings: Any) -> Requests:
    chosen = SageMakerSettings(
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/forecasts",
        train_spot=True,
        subnets=("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
        security_groups=("sg-0123456789abcdef0",),
        tags={"team": "retail", "cost-center": "42"},
        network_isolation=True,
        **settings,
    )
    return Requests(RUN_ID, image, STAGING, chosen, KMS_KEY)


@pytest.mark.parametrize(
    ("recorded", "image"),
    [("training_built_in", built_in_image("eu-west-1")), ("training_own_image", OWN_IMAGE)],
)
def test_a_training_job_is_asked_for_as_the_sdk_does(recorded: str, image: str) -> None:
    requests = _requests(image, train_max_seconds=7200, train_max_wait_seconds=10800)
    ours = requests.training_job(1, to_strings(HYPERPARAMETERS), STAGING.train)
    assert ours == _recorded(recorded)


def test_a_model_is_made_as_the_sdk_does() -> None:
    assert _requests(built_in_image("eu-west-1")).model(1) == _recorded("model")


def test_a_batch_transform_is_asked_for_as_the_sdk_does() -> None:
    ours = _requests(built_in_image("eu-west-1")).transform_job(1)
    assert _parsed(ours) == _parsed(_recorded("transform"))


def _parsed(transform: Request) -> Request:
    """With the inference configuration as an object: its text may be spaced in another way."""
    request = copy.deepcopy(transform)
    config = request["Environment"]["DEEPAR_INFERENCE_CONFIG"]
    request["Environment"]["DEEPAR_INFERENCE_CONFIG"] = json.loads(config)
    return request


def test_every_region_has_the_image_that_the_sdk_names() -> None:
    assert {region: built_in_image(region) for region in ACCOUNTS} == _recorded("image_uris")


def test_a_region_that_the_sdk_does_not_know_is_refused() -> None:
    assert "xx-east-9" not in _recorded("image_uris")
    with pytest.raises(UserError, match="xx-east-9"):
        built_in_image("xx-east-9")
