"""Models and transform jobs, with the stand-in as program."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from .sagemaker_server import OWN, ROLE, Served


@pytest.fixture(scope="session")
def artifact(_quick: Served) -> str:
    """A trained model."""
    uri: str = _quick.train()["ModelArtifacts"]["S3ModelArtifacts"]
    return uri


@pytest.fixture
def model(quick: Served, artifact: str) -> str:
    return quick.model(artifact, Environment={"DEEPAR_INFERENCE_CONFIG": "of the model"})


def items(*names: str) -> list[dict[str, str]]:
    return [{"item_id": name, "start": "2024-01-07"} for name in names]


def folder(quick: Served, **objects: list[Any]) -> str:
    """Objects below a fresh prefix, which is returned."""
    name = uuid4().hex[:8]
    for key, lines in objects.items():
        quick.put(f"{name}/in/{key}.json", *lines)
    return f"s3://{quick.bucket}/{name}/in/"


def test_one_output_an_input_in_its_order(quick: Served, model: str) -> None:
    uri = folder(quick, b=items("3", "1", "2"), a=items("4"))
    job = quick.transform(model, uri)
    assert job["TransformJobStatus"] == "Completed"
    assert job["TransformEndTime"] >= job["TransformStartTime"] >= job["CreationTime"]
    found = quick.outputs(job)
    assert sorted(found) == ["a.json.out", "b.json.out"]
    assert [line["item_id"] for line in found["b.json.out"]] == ["3", "1", "2"]
    assert found["a.json.out"][0]["SageMakerOutput"] == {"config": "of the model"}
    exact = quick.transform(
        model, f"{uri}a.json", Environment={"DEEPAR_INFERENCE_CONFIG": "of the job"}
    )
    assert quick.outputs(exact) == {
        "a.json.out": [{"item_id": "4", "SageMakerOutput": {"config": "of the job"}}]
    }


def test_variables_of_the_shell_are_not_the_jobs(
    quick: Served, artifact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPAR_INFERENCE_CONFIG", "of the shell")
    job = quick.transform(quick.model(artifact), folder(quick, a=items("1")))
    assert quick.outputs(job)["a.json.out"][0]["SageMakerOutput"] == {"config": None}


def test_a_bad_line_costs_its_object_only(quick: Served, model: str) -> None:
    job = quick.transform(model, folder(quick, a=[*items("1"), "bad"], b=items("2")))
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"] == "ClientError: a.json:2: Error when parsing json"
    assert list(quick.outputs(job)) == ["b.json.out"]


def test_a_record_that_is_too_long(quick: Served, model: str) -> None:
    long = [{"item_id": "1", "more": "x" * 2**20}]
    job = quick.transform(model, folder(quick, a=long), MaxPayloadInMB=1)
    assert "exceeds MaxPayloadInMB" in job["FailureReason"]
    assert quick.transform(model, folder(quick, a=long))["TransformJobStatus"] == "Completed"


def test_an_output_that_lost_its_last_lines(quick: Served, model: str) -> None:
    quick.ask(truncate_outputs=1)
    uri = folder(quick, a=items(*"123456789012345678901234567890"))
    job = quick.transform(model, uri)
    assert job["TransformJobStatus"] == "Completed"
    assert len(quick.outputs(job)["a.json.out"]) == 27
    assert len(quick.outputs(quick.transform(model, uri))["a.json.out"]) == 30


def test_jobs_that_fail_because_it_was_asked_for(quick: Served, model: str) -> None:
    quick.ask(capacity_errors=1, stuck=1)
    uri = folder(quick, a=items("1"))
    assert quick.transform(model, uri)["FailureReason"].startswith("CapacityError: ")
    request = quick.transforming(model, uri)
    quick.sagemaker.create_transform_job(**request)
    assert quick.transform(model, uri)["TransformJobStatus"] == "Completed"
    name = request["TransformJobName"]
    found = quick.sagemaker.describe_transform_job(TransformJobName=name)
    assert found["TransformJobStatus"] == "InProgress"
    quick.sagemaker.stop_transform_job(TransformJobName=name)
    assert quick.transformed(name)["TransformJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("fault", "kind"), [("die", "AlgorithmError"), ("internal_errors", "InternalServerError")]
)
def test_a_program_that_dies_midway(quick: Served, model: str, fault: str, kind: str) -> None:
    quick.ask(**{fault: 1})
    uri = folder(quick, a=items("1"), b=items("2"))
    job = quick.transform(model, uri, Environment={"SECONDS": "2"})
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(f"{kind}: ")
    assert list(quick.outputs(job)) == ["a.json.out"]


@pytest.mark.parametrize("change", [{"BatchStrategy": None}, {"BatchStrategy": "MultiRecord"}])
def test_many_records_a_request_break_deepar(
    quick: Served, model: str, change: dict[str, Any]
) -> None:
    job = quick.transform(model, folder(quick, a=items("1")), **change)
    assert job["FailureReason"].startswith("InternalServerError: ")
    assert quick.outputs(job) == {}


def test_without_assembly_all_is_on_one_line(quick: Served, model: str) -> None:
    request = quick.transforming(model, folder(quick, a=items("1", "2")), DataProcessing=None)
    del request["TransformOutput"]["AssembleWith"]
    quick.sagemaker.create_transform_job(**request)
    name = request["TransformJobName"]
    assert quick.transformed(name)["TransformJobStatus"] == "Completed"
    assert b"\n" not in quick.read(f"s3://{quick.bucket}/{name}/out/a.json.out")


def test_no_input(quick: Served, model: str) -> None:
    job = quick.transform(model, f"s3://{quick.bucket}/nothing/")
    assert job["FailureReason"].startswith("ClientError: No S3 objects found under S3 URL")


def change(request: dict[str, Any], path: str, value: Any) -> None:
    """Set a member by its path; None drops it."""
    *parents, last = path.split(".")
    for name in parents:
        request = request.setdefault(name, {})
    if value is None:
        del request[last]
    else:
        request[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("BatchStrategy", "SINGLE_RECORD", "must satisfy enum value set"),
        ("MaxPayloadInMB", 101, "must be at most 100"),
        ("MaxPayloadInMB", 0, "MaxPayloadInMB 0 is not carried out"),
        ("MaxConcurrentTransforms", 20, "must be at most 100"),
        ("TransformInput.SplitType", None, "SplitType and AssembleWith to be the same"),
        ("TransformInput.ContentType", None, "needs ContentType and Accept"),
        ("TransformInput.CompressionType", "Gzip", "CompressionType Gzip is not carried out"),
        ("TransformOutput.Accept", "text/csv", "Accept text/csv is not carried out"),
        ("DataProcessing.InputFilter", "$.target", "InputFilter"),
        ("DataProcessing.OutputFilter", "$.item_id", "OutputFilter"),
        ("DataProcessing.OutputFilter", "$" + "x" * 63, "less than or equal to 63"),
        ("Environment", {"DEEPAR_FORWARDED_FIELDS": "[]"}, "DEEPAR_FORWARDED_FIELDS is not"),
        ("ModelName", "absent", 'Could not find model "arn:'),
        ("DataCaptureConfig", {"DestinationS3Uri": "s3://a/b"}, "DataCaptureConfig is not carried"),
        ("TransformJobName", "a_b", "regular expression"),
    ],
)
def test_refused_transforms(quick: Served, model: str, path: str, value: Any, message: str) -> None:
    request = quick.transforming(model, f"s3://{quick.bucket}/x/")
    change(request, path, value)
    with pytest.raises(ClientError, match="ValidationException") as refused:
        quick.sagemaker.create_transform_job(**request)
    assert message in str(refused.value)


def test_models(quick: Served, artifact: str) -> None:
    name = quick.model(artifact)
    found = quick.sagemaker.describe_model(ModelName=name)
    assert found["PrimaryContainer"] == {"Image": OWN, "ModelDataUrl": artifact}
    assert found["ModelArn"].endswith(f":model/{name}")
    again = {"ModelName": name, "ExecutionRoleArn": ROLE}
    again["PrimaryContainer"] = found["PrimaryContainer"]
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        quick.sagemaker.create_model(**again)
    listed = quick.sagemaker.list_models(NameContains=name)["Models"]
    assert [each["ModelName"] for each in listed] == [name]
    quick.sagemaker.delete_model(ModelName=name)
    for call in (quick.sagemaker.describe_model, quick.sagemaker.delete_model):
        with pytest.raises(ClientError, match="Could not find model"):
            call(ModelName=name)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("PrimaryContainer.ModelDataUrl", "s3://local-aws/no.tar.gz", "Could not find model data"),
        ("PrimaryContainer.ModelDataUrl", "s3://local-aws/no.zip", "must end in .tar.gz"),
        ("PrimaryContainer.Image", OWN.replace("us-east-1", "eu-west-1"), "it must be in us-east"),
        ("PrimaryContainer.Mode", "MultiModel", "Mode MultiModel is not carried out"),
        ("Containers", [{"Image": OWN}], "Containers is not carried out"),
        ("ExecutionRoleArn", None, "ExecutionRoleArn is required"),
    ],
)
def test_refused_models(quick: Served, artifact: str, path: str, value: Any, message: str) -> None:
    container = {"Image": OWN, "ModelDataUrl": artifact}
    request = {"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    change(request, path, value)
    with pytest.raises(ClientError, match="ValidationException") as refused:
        quick.sagemaker.create_model(**request)
    assert message in str(refused.value)
