"""Requests: what is asked of SageMaker, and what is refused before it is asked."""

from __future__ import annotations

import json
from typing import Any

import boto3
import botocore.loaders
import pytest
from moto import mock_aws

from salescast.errors import UserError
from salescast.forecaster.sagemaker.checking import check_request
from salescast.forecaster.sagemaker.images import ACCOUNTS, built_in_image
from salescast.forecaster.sagemaker.requests import Requests, Staging
from salescast.forecaster.sagemaker.settings import SageMakerSettings
from salescast.lake.trained_models import is_built_in
from salescast.quantiles import QUANTILES

RUN_ID = "20261122t131415-ab12-2-deepar"
ROLE = "arn:aws:iam::123456789012:role/salescast"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OURS = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/salescast:1"
HYPERPARAMETERS = {"time_freq": "W", "prediction_length": "13", "epochs": "40"}


def requests(image: str | None = None, key: str | None = None, **settings: Any) -> Requests:
    return Requests(
        run_id=RUN_ID,
        image=image or built_in_image("eu-central-1"),
        staging=Staging(f"s3://bucket/staging/{RUN_ID}"),
        settings=SageMakerSettings(**{"role_arn": ROLE, **settings}),
        kms_key_id=key,
    )


@pytest.fixture(scope="module")
def sagemaker() -> Any:
    return boto3.client(
        "sagemaker",
        region_name="eu-central-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )


def all_of(made: Requests) -> dict[str, dict[str, Any]]:
    return {
        "CreateTrainingJob": made.training_job(1, HYPERPARAMETERS, made.staging.train),
        "CreateModel": made.model(1),
        "CreateTransformJob": made.transform_job(1),
    }


EVERYTHING: dict[str, Any] = {
    "key": KEY,
    "train_spot": True,
    "train_max_seconds": 3000,
    "train_max_wait_seconds": 3600,
    "subnets": ("subnet-0a", "subnet-0b"),
    "security_groups": ("sg-0a",),
    "tags": {"cost center": "12/3", "owner": "demand@example.org"},
    "network_isolation": True,
    "transform_instance_count": 3,
}


@pytest.mark.parametrize("image", [None, OURS])
@pytest.mark.parametrize("settings", [{}, EVERYTHING])
def test_botocore_accepts_every_request(
    sagemaker: Any, image: str | None, settings: dict[str, Any]
) -> None:
    for operation, request in all_of(requests(image, **settings)).items():
        check_request(sagemaker, operation, request)


@pytest.mark.parametrize("settings", [{}, EVERYTHING])
def test_moto_accepts_every_request(settings: dict[str, Any]) -> None:
    with mock_aws():
        client = boto3.client("sagemaker", region_name="eu-central-1")
        made = all_of(requests(**settings))
        client.create_training_job(**made["CreateTrainingJob"])
        client.create_model(**made["CreateModel"])
        client.create_transform_job(**made["CreateTransformJob"])
        job = client.describe_transform_job(TransformJobName=f"{RUN_ID}-predict-1")
        assert job["ModelName"] == f"{RUN_ID}-model-1"


def test_a_training_job_reads_one_clean_prefix_whole() -> None:
    request = requests().training_job(2, HYPERPARAMETERS, "s3://bucket/x/train/")
    assert request["TrainingJobName"] == f"{RUN_ID}-train-2"
    assert request["HyperParameters"] == HYPERPARAMETERS
    assert request["InputDataConfig"] == [
        {
            "ChannelName": "train",
            "InputMode": "File",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": "s3://bucket/x/train/",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }
    ]
    assert request["OutputDataConfig"] == {"S3OutputPath": f"s3://bucket/staging/{RUN_ID}/models/"}
    assert {"VpcConfig", "EnableManagedSpotTraining", "CheckpointConfig"}.isdisjoint(request)
    assert request["Tags"] == [{"Key": "salescast:run_id", "Value": RUN_ID}]


def test_a_transform_sends_lines_and_keeps_the_ids() -> None:
    request = requests().transform_job(1)
    assert request["BatchStrategy"] == "SingleRecord"
    assert request["TransformInput"]["SplitType"] == "Line"
    assert request["TransformOutput"]["AssembleWith"] == "Line"
    content_type = request["TransformInput"]["ContentType"]
    assert content_type == request["TransformOutput"]["Accept"] == "application/jsonlines"
    assert request["DataProcessing"] == {
        "JoinSource": "Input",
        "OutputFilter": "$['item_id','SageMakerOutput']",
    }
    inference = json.loads(request["Environment"]["DEEPAR_INFERENCE_CONFIG"])
    assert inference["quantiles"] == list(QUANTILES)
    assert set(inference) == {"num_samples", "output_types", "quantiles"}
    uri = request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    assert uri.endswith("/transform/input/")
    assert not request["TransformOutput"]["S3OutputPath"].startswith(uri)


def test_what_a_company_asks_for_is_in_every_request() -> None:
    made = all_of(requests(OURS, **EVERYTHING))
    train, model, transform = made.values()
    vpc = {"Subnets": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0a"]}
    assert train["VpcConfig"] == model["VpcConfig"] == vpc
    assert train["EnableNetworkIsolation"] is model["EnableNetworkIsolation"] is True
    assert train["RoleArn"] == model["ExecutionRoleArn"] == ROLE
    assert train["OutputDataConfig"]["KmsKeyId"] == transform["TransformOutput"]["KmsKeyId"] == KEY
    assert train["ResourceConfig"]["VolumeKmsKeyId"] == KEY
    assert transform["TransformResources"]["VolumeKmsKeyId"] == KEY
    for request in made.values():
        assert {"Key": "cost center", "Value": "12/3"} in request["Tags"]


@pytest.mark.parametrize("machine", ["ml.c5d.xlarge", "ml.g4dn.xlarge", "ml.p4d.24xlarge"])
def test_a_machine_with_disks_of_its_own_gets_no_key_for_its_volume(machine: str) -> None:
    request = requests(key=KEY, train_instance_type=machine).training_job(1, {}, "s3://b/c/")
    assert "VolumeKmsKeyId" not in request["ResourceConfig"]


def test_spot_machines_have_a_place_for_checkpoints_of_our_image_only() -> None:
    spot = {"train_spot": True, "train_max_seconds": 7200, "train_max_wait_seconds": 9000}
    ours = requests(OURS, **spot).training_job(3, {}, "s3://b/c/")
    assert ours["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 9000}
    uri = f"s3://bucket/staging/{RUN_ID}/checkpoints/3/"
    assert ours["CheckpointConfig"] == {"S3Uri": uri}
    built_in = requests(**spot).training_job(3, {}, "s3://b/c/")
    assert built_in["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 3600,
        "MaxWaitTimeInSeconds": 3600,
    }
    assert "CheckpointConfig" not in built_in


@pytest.mark.parametrize(
    ("settings", "named", "told"),
    [
        ({"role_arn": None}, "ROLE_ARN", "RoleArn"),
        ({"train_instance_type": "ml.c5.huge"}, "TRAIN_INSTANCE_TYPE", "update boto3"),
        ({"transform_instance_type": "ml.x1.huge"}, "TRANSFORM_INSTANCE_TYPE", "ml.x1.huge"),
        ({"subnets": ("a b",), "security_groups": ("sg",)}, "SUBNETS", "pattern"),
        ({"subnets": ("s",), "security_groups": tuple("123456")}, "SECURITY_GROUPS", "6 entries"),
        ({"tags": {"a": "<b>"}}, "TAGS", "pattern"),
        ({"tags": {"aws:x": "b"}}, "TAGS", "AWS's own"),
        ({"tags": {str(n): "" for n in range(50)}}, "TAGS", "51 entries"),
        ({"train_spot": True, "train_max_wait_seconds": 60}, "TRAIN_MAX_WAIT_SECONDS", "less than"),
    ],
)
def test_what_sagemaker_would_refuse_names_its_setting(
    sagemaker: Any, settings: dict[str, Any], named: str, told: str
) -> None:
    with pytest.raises(UserError) as caught:
        for operation, request in all_of(requests(OURS, **settings)).items():
            check_request(sagemaker, operation, request)
    assert f"SALESCAST_SAGEMAKER_{named}" in str(caught.value.where)
    assert told in caught.value.what


def test_a_name_or_key_that_is_too_long_is_refused(sagemaker: Any) -> None:
    long = Requests("r" * 60, OURS, Staging("s3://b/r"), SageMakerSettings(role_arn=ROLE))
    with pytest.raises(UserError, match="63 are allowed"):
        check_request(sagemaker, "CreateModel", long.model(1))
    with pytest.raises(UserError) as caught:
        check_request(sagemaker, "CreateTransformJob", requests(key="no key").transform_job(1))
    assert caught.value.where == "SALESCAST_KMS_KEY_ID"


def test_the_longest_names_of_a_run_fit(sagemaker: Any) -> None:
    longest = Requests("r" * 40, OURS, Staging("s3://b/r"), SageMakerSettings(role_arn=ROLE))
    for attempt in (1, 99):
        check_request(sagemaker, "CreateTransformJob", longest.transform_job(attempt))
        check_request(sagemaker, "CreateModel", longest.model(attempt))


def test_every_region_has_the_suffix_of_its_partition() -> None:
    partitions = botocore.loaders.Loader().load_data("partitions")["partitions"]
    suffixes = {
        region: partition["outputs"]["dnsSuffix"]
        for partition in partitions
        for region in partition["regions"]
    }
    for region, account in ACCOUNTS.items():
        uri = built_in_image(region)
        assert uri == f"{account}.dkr.ecr.{region}.{suffixes[region]}/forecasting-deepar:1"
        assert is_built_in(uri)


def test_a_region_without_the_image_is_refused_with_a_way_out() -> None:
    with pytest.raises(UserError, match="mx-central-1") as caught:
        built_in_image("mx-central-1")
    assert "SALESCAST_SAGEMAKER_IMAGE" in str(caught.value.fix)


@pytest.mark.parametrize("program", [OURS, "salescast.deepar 0.1.0"])
def test_our_programs_are_told_from_the_built_in_one(program: str) -> None:
    assert not is_built_in(program)
    assert is_built_in("123456789012.dkr.ecr.eu-west-1.amazonaws.com/mirror/forecasting-deepar:1")
