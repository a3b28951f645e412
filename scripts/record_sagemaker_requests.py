"""Record the requests that SageMaker's own SDK sends for what the forecaster `sagemaker` asks.

The tests compare our requests with these files; they do not need the SDK. Run by hand, in an
environment of its own (1 GB), after a new version of the SDK:

    uv run --no-project --with sagemaker==3.27.0 python scripts/record_sagemaker_requests.py

Nothing leaves this machine: answers are made here, credentials are invented, sockets are shut.
Training goes through ModelTrainer, batch transform through Transformer, the model through the
resource Model. Written to tests/python/on_sagemaker/recorded: one request a file, and
`image_uris.json` with the built-in DeepAR of each region.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any, NoReturn

RECORDED = Path(__file__).parents[1] / "tests" / "python" / "on_sagemaker" / "recorded"

REGION = "eu-west-1"
ACCOUNT = "111122223333"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/forecasts"
KMS_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OWN_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/salescast-deepar:1"
RUN_ID = "deepar-20260829-1"
STAGING = f"s3://forecasts/staging/{RUN_ID}"
SUBNETS = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
SECURITY_GROUPS = ["sg-0123456789abcdef0"]
TAGS = {"team": "retail", "cost-center": "42", "salescast:run_id": RUN_ID}
# Numbers and lists as a user of the SDK writes them: it makes the texts that the API wants.
HYPERPARAMETERS = {
    "time_freq": "W",
    "prediction_length": 13,
    "context_length": 26,
    "epochs": 100,
    "learning_rate": 0.001,
    "likelihood": "student-T",
    "test_quantiles": [0.1, 0.5, 0.9],
}
QUANTILES = [f"{percent / 100:g}" for percent in (5, *range(10, 100, 10), 95)]
DENIED = b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
INFERENCE_CONFIG = {
    "num_samples": 200,
    "output_types": ["mean", "quantiles"],
    "quantiles": QUANTILES,
}

Request = dict[str, Any]


class Recorder:
    """Answers the SDK's calls in place of AWS and keeps the Create requests."""

    def __init__(self) -> None:
        """Start without requests."""
        self.requests: dict[str, Request] = {}

    def answer(self, request: Any, **_: Any) -> Any:
        """A `before-send` handler of botocore: its answer replaces the HTTP call."""
        from botocore.awsrequest import AWSResponse
        from botocore.compat import HTTPHeaders

        target = request.headers.get("X-Amz-Target", b"")
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        if not operation:
            # IAM and STS, which the SDK asks on its own: it goes on without them.
            return AWSResponse(request.url, 403, HTTPHeaders(), _Body(DENIED))
        parameters = json.loads(request.body)
        if operation.startswith("Create"):
            self.requests[operation] = parameters
        body = json.dumps(_answer(operation, parameters)).encode()
        return AWSResponse(request.url, 200, HTTPHeaders(), _Body(body))

    def take(self, operation: str) -> Request:
        """The newest request of an operation."""
        return self.requests.pop(operation)


class _Body:
    """The part of urllib3's response that botocore reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, amt: int = 1024, decode_content: bool = True) -> Any:
        yield self._content


def _answer(operation: str, parameters: Request) -> Request:
    """What AWS answers, as far as the SDK needs it to go on."""
    if operation == "CreateTrainingJob":
        return {"TrainingJobArn": f"{ARN}:training-job/{parameters['TrainingJobName']}"}
    if operation == "DescribeTrainingJob":
        return {
            "TrainingJobName": parameters["TrainingJobName"],
            "TrainingJobArn": f"{ARN}:training-job/{parameters['TrainingJobName']}",
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Starting",
        }
    if operation == "CreateModel":
        return {"ModelArn": f"{ARN}:model/{parameters['ModelName']}"}
    if operation == "DescribeModel":
        return {
            "ModelName": parameters["ModelName"],
            "ModelArn": f"{ARN}:model/{parameters['ModelName']}",
            "CreationTime": 0,
        }
    if operation == "CreateTransformJob":
        return {"TransformJobArn": f"{ARN}:transform-job/{parameters['TransformJobName']}"}
    raise NotImplementedError(operation)


def training(recorder: Recorder, session: Any, *, image: str, checkpoints: bool) -> Request:
    """CreateTrainingJob on spot machines in a VPC.

    Args:
        recorder: Keeps what the SDK sends.
        session: The SDK's session.
        image: The container.
        checkpoints: Whether the image keeps them; without, spot may wait for an hour only.
    """
    from sagemaker.core.shapes import CheckpointConfig, OutputDataConfig, Tag
    from sagemaker.core.training.configs import (
        Compute,
        InputData,
        Networking,
        StoppingCondition,
    )
    from sagemaker.train import ModelTrainer

    trainer = ModelTrainer(
        sagemaker_session=session,
        role=ROLE,
        training_image=image,
        compute=Compute(
            instance_type="ml.c5.2xlarge",
            instance_count=1,
            volume_size_in_gb=30,
            volume_kms_key_id=KMS_KEY,
            enable_managed_spot_training=True,
        ),
        networking=Networking(
            subnets=SUBNETS,
            security_group_ids=SECURITY_GROUPS,
            enable_network_isolation=True,
        ),
        stopping_condition=StoppingCondition(
            max_runtime_in_seconds=7200 if checkpoints else 3600,
            max_wait_time_in_seconds=10800 if checkpoints else 3600,
        ),
        output_data_config=OutputDataConfig(
            s3_output_path=f"{STAGING}/models/", kms_key_id=KMS_KEY
        ),
        checkpoint_config=(
            CheckpointConfig(s3_uri=f"{STAGING}/checkpoints/1/") if checkpoints else None
        ),
        hyperparameters=HYPERPARAMETERS,
        tags=[Tag(key=key, value=value) for key, value in TAGS.items()],
    )
    channel = InputData(channel_name="train", data_source=f"{STAGING}/train/")
    trainer.train(input_data_config=[channel], wait=False, logs=False)
    request = recorder.take("CreateTrainingJob")
    # The SDK makes the name itself, from the time.
    request["TrainingJobName"] = f"{RUN_ID}-train-1"
    return request


def model(recorder: Recorder, session: Any, *, image: str) -> Request:
    """CreateModel in a VPC."""
    from sagemaker.core.resources import Model
    from sagemaker.core.shapes import ContainerDefinition, Tag, VpcConfig

    Model.create(
        session=session.boto_session,
        region=REGION,
        model_name=f"{RUN_ID}-model-1",
        execution_role_arn=ROLE,
        primary_container=ContainerDefinition(
            image=image, model_data_url=f"{STAGING}/model/model.tar.gz"
        ),
        vpc_config=VpcConfig(subnets=SUBNETS, security_group_ids=SECURITY_GROUPS),
        enable_network_isolation=True,
        tags=[Tag(key=key, value=value) for key, value in TAGS.items()],
    )
    return recorder.take("CreateModel")


def transform(recorder: Recorder, session: Any) -> Request:
    """CreateTransformJob: lines one by one, joined to their item_id."""
    from sagemaker.core.transformer import Transformer

    transformer = Transformer(
        sagemaker_session=session,
        model_name=f"{RUN_ID}-model-1",
        instance_count=1,
        instance_type="ml.m5.xlarge",
        strategy="SingleRecord",
        assemble_with="Line",
        accept="application/jsonlines",
        output_path=f"{STAGING}/transform/output/1/",
        output_kms_key=KMS_KEY,
        volume_kms_key=KMS_KEY,
        max_payload=6,
        env={"DEEPAR_INFERENCE_CONFIG": json.dumps(INFERENCE_CONFIG)},
        tags=[{"Key": key, "Value": value} for key, value in TAGS.items()],
    )
    transformer.transform(
        data=f"{STAGING}/transform/input/",
        job_name=f"{RUN_ID}-predict-1",
        content_type="application/jsonlines",
        split_type="Line",
        join_source="Input",
        output_filter="$['item_id','SageMakerOutput']",
        wait=False,
        logs=False,
    )
    return recorder.take("CreateTransformJob")


def image_uris() -> dict[str, str]:
    """The built-in DeepAR of every region that the SDK knows."""
    from sagemaker.core import image_uris as uris

    config = uris.config_for_framework("forecasting-deepar")
    regions = config["versions"]["1"]["registries"]
    return {
        region: uris.retrieve("forecasting-deepar", region, version="1")
        for region in sorted(regions)
    }


def _no_network(*_: object) -> NoReturn:
    raise OSError("recording does without the network")


def main() -> None:
    """Record every request."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        modules = {"TelemetryOptOut": True}
        quiet = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": modules}}}
        config.write_text(json.dumps(quiet), encoding="utf-8")
        os.environ |= {
            "AWS_ACCESS_KEY_ID": "invented",
            "AWS_SECRET_ACCESS_KEY": "invented",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config),
        }
        socket.socket.connect = _no_network  # type: ignore[method-assign]
        recorded = _record()
    RECORDED.mkdir(parents=True, exist_ok=True)
    for name, value in recorded.items():
        text = json.dumps(value, indent=2, sort_keys=True) + "\n"
        (RECORDED / f"{name}.json").write_text(text, encoding="utf-8")
        print(RECORDED / f"{name}.json")


def _record() -> dict[str, Request]:
    import boto3
    from sagemaker.core.helper.session_helper import Session

    recorder = Recorder()
    boto_session = boto3.Session(region_name=REGION)
    boto_session.events.register("before-send", recorder.answer)
    session = Session(boto_session=boto_session, default_bucket="forecasts")
    uris = image_uris()
    built_in = uris[REGION]
    return {
        "image_uris": uris,
        "training_built_in": training(recorder, session, image=built_in, checkpoints=False),
        "training_own_image": training(recorder, session, image=OWN_IMAGE, checkpoints=True),
        "model": model(recorder, session, image=built_in),
        "transform": transform(recorder, session),
    }


if __name__ == "__main__":
    main()
