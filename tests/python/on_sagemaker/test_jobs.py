"""Jobs: found again, waited for, tried again or not, stopped; on answers that are written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from salescast.errors import RunError, UserError
from salescast.forecaster import UnusableOutput
from salescast.forecaster.sagemaker.jobs import TRAINING, TRANSFORM, JobKind, Jobs
from salescast.forecaster.sagemaker.logs import JobLog
from salescast.forecaster.sagemaker.requests import Requests, Staging
from salescast.forecaster.sagemaker.settings import SageMakerSettings

NOW = datetime.now(UTC)
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/salescast:1"
ARN = "arn:aws:sagemaker:eu-central-1:123456789012:training-job/a-job"
REQUESTS = Requests(
    "r1",
    IMAGE,
    Staging("s3://bucket/r1"),
    SageMakerSettings(role_arn="arn:aws:iam::123456789012:role/salescast"),
)
HYPERPARAMETERS = {"time_freq": "W", "epochs": "40"}
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."


class Logs:
    """One stream of two lines."""

    def describe_log_streams(self, **_: Any) -> dict[str, Any]:
        return {"logStreams": [{"logStreamName": "s"}]}

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        lines = [
            "#quality_metric: host=algo-1, epoch=2, train loss <loss>=3.25",
            "the last words",
        ]
        events = [] if "nextToken" in request else [{"message": line} for line in lines]
        return {"events": events, "nextForwardToken": "t"}


class World:
    """SageMaker's answers in their order, and what became of a step."""

    def __init__(self, kind: JobKind, folder: Path) -> None:
        self.kind = kind
        client = boto3.client(
            "sagemaker",
            region_name="eu-central-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )
        self.stub = Stubber(client)
        self.stub.activate()
        self.told: list[str] = []
        self.slept: list[float] = []
        self.prepared: list[int] = []
        self.taken: list[int] = []
        self.unusable: set[int] = set()
        self.asked: list[str] = []
        self.stops = False
        self.folder = folder
        self.jobs = Jobs(
            client, Logs(), 1.0, self.told.append, self._stop_job, sleep=self.slept.append
        )

    def name(self, attempt: int) -> str:
        if self.kind is TRAINING:
            return REQUESTS.training_job_name(attempt)
        return REQUESTS.transform_job_name(attempt)

    def unknown(self, attempt: int) -> None:
        self.stub.add_client_error(
            f"describe_{self._noun}_job",
            "ValidationException",
            "Requested resource not found.",
            expected_params={f"{self.kind.noun}Name": self.name(attempt)},
        )

    def is_(self, attempt: int, status: str, secondary: str | None = None, **more: Any) -> None:
        common = {
            f"{self.kind.noun}Name": self.name(attempt),
            f"{self.kind.noun}Arn": ARN,
            f"{self.kind.noun}Status": status,
            "CreationTime": NOW,
        }
        if self.kind is TRAINING:
            answer = common | {
                "SecondaryStatus": secondary or {"InProgress": "Training"}.get(status, status),
                "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/m.tar.gz"},
                "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
                "HyperParameters": HYPERPARAMETERS,
                "ResourceConfig": {
                    "InstanceType": "ml.c5.xlarge",
                    "InstanceCount": 2,
                    "VolumeSizeInGB": 1,
                },
                "StoppingCondition": {},
                "TrainingStartTime": NOW,
                "TrainingEndTime": NOW + timedelta(seconds=100),
                "BillableTimeInSeconds": 40,
            }
        else:
            answer = common | {
                "ModelName": "m",
                "Environment": REQUESTS.transform_job(1)["Environment"],
                "TransformInput": REQUESTS.transform_job(1)["TransformInput"],
                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
                "TransformStartTime": NOW,
                "TransformEndTime": NOW + timedelta(seconds=7),
            }
        self.stub.add_response(
            f"describe_{self._noun}_job",
            answer | more,
            {f"{self.kind.noun}Name": self.name(attempt)},
        )

    def takes_create(self, attempt: int, error: str | None = None, message: str = "") -> None:
        if error:
            self.stub.add_client_error(f"create_{self._noun}_job", error, message)
            return
        request = self._request(attempt)
        self.stub.add_response(f"create_{self._noun}_job", {f"{self.kind.noun}Arn": ARN}, request)

    def takes_stop(self, attempt: int) -> None:
        self.stub.add_response(
            f"stop_{self._noun}_job", {}, {f"{self.kind.noun}Name": self.name(attempt)}
        )

    def run(self, **more: Any) -> int:
        result = self.jobs.carry_out(
            self.kind,
            "deepar at 2026-10-31",
            name=self.name,
            request=self._request,
            prepare=self.prepared.append,
            take=self._take,
            keep_log=self._keep_log,
            **more,
        )
        self.stub.assert_no_pending_responses()
        return result

    def fails(self, error: type[Exception], **more: Any) -> str:
        with pytest.raises(error) as caught:
            self.run(**more)
        self.stub.assert_no_pending_responses()
        return str(caught.value)

    @property
    def _noun(self) -> str:
        return self.kind.noun.removesuffix("Job").lower()

    def _request(self, attempt: int) -> dict[str, Any]:
        if self.kind is TRAINING:
            return REQUESTS.training_job(attempt, HYPERPARAMETERS, "s3://bucket/r1/train/")
        return REQUESTS.transform_job(attempt)

    def _take(self, attempt: int, answer: dict[str, Any]) -> int:
        if attempt in self.unusable:
            raise UnusableOutput("lines are missing")
        self.taken.append(attempt)
        return attempt

    def _keep_log(self, lines: list[str]) -> Path:
        file = self.folder / "train.log"
        file.write_text("\n".join(lines))
        return file

    def _stop_job(self, job: str) -> bool:
        self.asked.append(job)
        return self.stops


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[JobKind], World]]:
    yield lambda kind: World(kind, tmp_path)


@pytest.fixture
def world(make: Callable[[JobKind], World]) -> World:
    return make(TRAINING)


def test_a_new_step_makes_one_job_and_waits_for_it(world: World) -> None:
    world.unknown(1)
    world.takes_create(1)
    world.is_(1, "InProgress", "Starting")
    world.is_(1, "InProgress")
    world.is_(1, "Completed")
    assert world.run(epochs="40") == 1
    assert world.prepared == [1]
    assert "r1-train-1 is Training, epoch 3/40, loss 3.25" in world.told[-1]
    assert all(0.8 <= pause <= 1.2 for pause in world.slept)
    (used,) = world.jobs.used
    assert (used.job_name, used.instance_type, used.instance_count) == (
        "r1-train-1",
        "ml.c5.xlarge",
        2,
    )
    assert (used.seconds, used.billable_seconds) == (100, 40)


def test_a_job_that_is_there_is_waited_for(world: World) -> None:
    # No answer to a Create is written down: none may come.
    world.is_(1, "InProgress")
    world.is_(1, "InProgress")
    world.is_(1, "Completed")
    assert world.run() == 1
    assert world.prepared == []


def test_a_job_that_is_completed_is_used(world: World) -> None:
    world.is_(1, "Completed")
    world.is_(1, "Completed")
    assert world.run() == 1


OTHER_IMAGE = {"AlgorithmSpecification": {"TrainingImage": "a", "TrainingInputMode": "File"}}
OTHERWISE = [
    (OTHER_IMAGE, "another TrainingImage"),
    ({"HyperParameters": {"time_freq": "W"}}, "another HyperParameters"),
    (OTHER_IMAGE | {"HyperParameters": {}}, "another TrainingImage, HyperParameters"),
]


@pytest.mark.parametrize(("otherwise", "told"), OTHERWISE)
def test_a_job_that_was_asked_for_otherwise_is_passed_over(
    world: World, otherwise: dict[str, Any], told: str
) -> None:
    for _ in range(2):
        world.is_(1, "Completed", **otherwise)
    world.unknown(2)
    world.takes_create(2)
    world.is_(2, "Completed")
    assert world.run() == 2
    assert world.taken == [2]
    assert f"r1-train-1 was asked for with {told}, passed over" in "\n".join(world.told)
    assert [job.job_name for job in world.jobs.used] == ["r1-train-1", "r1-train-2"]


@pytest.mark.parametrize(("otherwise", "told"), OTHERWISE)
def test_a_job_that_was_asked_for_otherwise_and_works_is_not_followed_by_another(
    world: World, otherwise: dict[str, Any], told: str
) -> None:
    world.is_(1, "InProgress", **otherwise)
    said = world.fails(UserError)
    assert told in said
    assert "aws sagemaker stop-training-job --training-job-name r1-train-1" in said
    assert "--resume" in said


def test_what_another_command_just_created_otherwise_is_not_taken(world: World) -> None:
    world.unknown(1)
    world.takes_create(1, "ResourceInUse", "Training job names must be unique")
    world.unknown(1)
    world.is_(1, "Completed", **OTHER_IMAGE)
    world.unknown(2)
    world.takes_create(2)
    world.is_(2, "Completed")
    assert world.run() == 2


def test_a_transform_of_other_quantiles_is_not_taken(make: Callable[[JobKind], World]) -> None:
    world = make(TRANSFORM)
    for _ in range(2):
        world.is_(1, "Completed", Environment={"DEEPAR_INFERENCE_CONFIG": "{}"})
    world.unknown(2)
    world.takes_create(2)
    world.is_(2, "Completed")
    assert world.run() == 2


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_what_failed_before_this_command_is_followed_by_the_next(world: World, status: str) -> None:
    world.is_(1, status, FailureReason="ClientError: bad")
    world.is_(1, status, FailureReason="ClientError: bad")
    world.unknown(2)
    world.takes_create(2)
    world.is_(2, "Completed")
    assert world.run() == 2


def test_a_job_that_is_being_stopped_ends_before_the_next_begins(world: World) -> None:
    world.is_(1, "Stopping")
    world.is_(1, "Stopping")
    world.is_(1, "Stopped")
    world.unknown(2)
    world.takes_create(2)
    world.is_(2, "Completed")
    assert world.run() == 2


def test_a_failure_is_told_with_reason_log_and_fix(world: World) -> None:
    world.unknown(1)
    world.takes_create(1)
    reason = "ClientError: Training set did not contain examples for all categories of the"
    world.is_(1, "Failed", FailureReason=reason)
    told = world.fails(RunError)
    assert reason in told
    assert "the last words" in told
    assert "start a new batch" in told
    assert "/aws/sagemaker/TrainingJobs r1-train-1" in told
    assert "the last words" in (world.folder / "train.log").read_text()


def test_a_lack_of_machines_is_tried_again_twice(world: World) -> None:
    for attempt in (1, 2, 3):
        world.unknown(attempt)
        world.takes_create(attempt)
        world.is_(attempt, "Failed", FailureReason=CAPACITY)
    told = world.fails(RunError)
    assert "TRAIN_INSTANCE_TYPE" in told
    assert [job.job_name for job in world.jobs.used] == [world.name(n) for n in (1, 2, 3)]
    short, long = world.slept
    assert 8 <= short <= 12 < 16 <= long <= 24


@pytest.mark.parametrize(
    ("secondary", "setting"),
    [
        ("MaxRuntimeExceeded", "TRAIN_MAX_SECONDS"),
        ("MaxWaitTimeExceeded", "TRAIN_MAX_WAIT_SECONDS"),
        ("Stopped", "who stopped it"),
    ],
)
def test_a_stopped_job_is_no_success(world: World, secondary: str, setting: str) -> None:
    world.unknown(1)
    world.takes_create(1)
    world.is_(1, "Stopped", secondary)
    told = world.fails(RunError)
    assert setting in told
    assert "--resume" in told


def test_a_lost_answer_and_a_slow_describe_mean_no_second_job(world: World) -> None:
    world.unknown(1)
    world.takes_create(1, "ResourceInUse", "Training job names must be unique")
    world.unknown(1)
    world.unknown(1)
    world.is_(1, "InProgress")
    world.is_(1, "Completed")
    assert world.run() == 1


def test_a_throttled_call_is_sent_again(world: World) -> None:
    world.unknown(1)
    world.takes_create(1, "ThrottlingException", "Rate exceeded")
    world.takes_create(1, "ThrottlingException", "Rate exceeded")
    world.takes_create(1)
    world.is_(1, "Completed")
    assert world.run() == 1
    assert world.slept[1] > 0


@pytest.mark.parametrize(
    ("code", "message", "fix"),
    [
        (
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.c5.xlarge for training job usage' is 0 Instances",
            "quota",
        ),
        ("ValidationException", "No S3 objects found under S3 URL", "s3:ListBucket"),
        ("ValidationException", "1 validation error detected", "docs/sagemaker.md"),
        ("AccessDeniedException", "is not authorized to perform: iam:PassRole", "policies"),
    ],
)
def test_a_refused_job_names_what_to_do(world: World, code: str, message: str, fix: str) -> None:
    world.unknown(1)
    world.takes_create(1, code, message)
    told = world.fails(UserError)
    assert message in told
    assert fix in told


def test_an_output_that_is_not_whole_is_told_once_and_made_again_by_a_resume(
    world: World,
) -> None:
    world.unusable = {1}
    world.unknown(1)
    world.takes_create(1)
    world.is_(1, "Completed")
    told = world.fails(UnusableOutput)
    assert "lines are missing" in told
    assert str(world.folder / "train.log") in told
    assert "the last words" in (world.folder / "train.log").read_text()
    world.is_(1, "Completed")
    world.is_(1, "Completed")
    world.unknown(2)
    world.takes_create(2)
    world.is_(2, "Completed")
    assert world.run() == 2


def test_a_transform_that_takes_too_long_is_stopped(make: Callable[[JobKind], World]) -> None:
    world = make(TRANSFORM)
    old = {"CreationTime": NOW - timedelta(hours=1)}
    world.unknown(1)
    world.takes_create(1)
    world.is_(1, "InProgress", **old)
    world.takes_stop(1)
    world.is_(1, "Stopping", **old)
    world.is_(1, "Stopped", **old)
    assert "TRANSFORM_MAX_SECONDS" in world.fails(RunError, max_seconds=600)
    assert world.jobs.used[0].billable_seconds == 7


@pytest.mark.parametrize("stops", [True, False])
def test_an_interrupt_asks_about_the_job(world: World, stops: bool) -> None:
    world.stops = stops
    world.unknown(1)
    world.takes_create(1)
    world.is_(1, "InProgress")
    if stops:
        world.takes_stop(1)
        world.is_(1, "Stopping")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    world.jobs.sleep = interrupt
    told = world.fails(KeyboardInterrupt)
    assert world.asked == ["r1-train-1"]
    assert ("starts a new one" if stops else "waits for it again") in told
    assert "--resume" in told


@pytest.mark.parametrize("is_known", [True, False])
def test_a_stop_that_sagemaker_does_not_confirm_is_not_told_as_done(
    world: World, is_known: bool
) -> None:
    world.stops = True
    world.unknown(1)
    world.takes_create(1)
    world.is_(1, "InProgress")
    world.takes_stop(1)
    if is_known:
        world.is_(1, "InProgress")
    else:
        world.unknown(1)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    world.jobs.sleep = interrupt
    told = world.fails(KeyboardInterrupt)
    assert "could not be confirmed" in told
    assert "--resume" in told


def test_a_model_is_made_once_and_again_only_if_it_was_asked_for_otherwise(
    make: Callable[[JobKind], World],
) -> None:
    world = make(TRANSFORM)
    request = REQUESTS.model(1)
    arn = {"ModelArn": "arn:aws:sagemaker:eu-central-1:123456789012:model/m"}
    held = arn | {
        "ModelName": "r1-model-1",
        "PrimaryContainer": request["PrimaryContainer"],
        "ExecutionRoleArn": request["ExecutionRoleArn"],
        "CreationTime": NOW,
    }
    known = "Cannot create already existing model"
    world.stub.add_client_error("create_model", "ValidationException", known)
    world.stub.add_response("describe_model", held, {"ModelName": "r1-model-1"})
    world.jobs.create_model(request)
    world.stub.add_client_error("create_model", "ValidationException", known)
    other = held | {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/another-role"}
    world.stub.add_response("describe_model", other, {"ModelName": "r1-model-1"})
    world.stub.add_response("delete_model", {}, {"ModelName": "r1-model-1"})
    world.stub.add_response("create_model", arn, request)
    world.jobs.create_model(request)
    world.stub.assert_no_pending_responses()


def test_lost_answers_do_not_keep_a_model_from_being_replaced(
    make: Callable[[JobKind], World],
) -> None:
    world = make(TRANSFORM)
    request = REQUESTS.model(1)
    name = {"ModelName": "r1-model-1"}
    held = name | {
        "ModelArn": "arn:aws:sagemaker:eu-central-1:123456789012:model/m",
        "PrimaryContainer": request["PrimaryContainer"],
        "ExecutionRoleArn": request["ExecutionRoleArn"],
        "CreationTime": NOW,
    }
    other = held | {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/another-role"}
    known = "Cannot create already existing model"
    for comes_to in (held, other):
        world.stub.add_client_error("create_model", "ValidationException", known)
        world.stub.add_response("describe_model", other, name)
        world.stub.add_client_error("delete_model", "ValidationException", "Could not find model")
        world.stub.add_client_error("create_model", "ValidationException", known)
        world.stub.add_response("describe_model", comes_to, name)
    world.jobs.create_model(request)
    with pytest.raises(UserError, match="existing model"):
        world.jobs.create_model(request)
    world.stub.add_client_error("create_model", "ValidationException", known)
    world.stub.add_client_error("describe_model", "ValidationException", "Could not find model")
    world.stub.add_client_error("delete_model", "ValidationException", "Could not find model")
    world.stub.add_client_error("create_model", "ResourceLimitExceeded", "too many models")
    with pytest.raises(UserError, match="too many models"):
        world.jobs.create_model(request)
    world.stub.assert_no_pending_responses()


class Unreachable:
    """A network without a way to CloudWatch."""

    n_calls = 0

    def describe_log_streams(self, **_: Any) -> dict[str, Any]:
        self.n_calls += 1
        raise EndpointConnectionError(endpoint_url="https://logs")


def test_logs_out_of_reach_are_asked_for_once(world: World) -> None:
    world.jobs.logs = Unreachable()
    world.unknown(1)
    world.takes_create(1)
    for _ in range(3):
        world.is_(1, "InProgress")
    world.is_(1, "Completed")
    assert world.run() == 1
    assert world.jobs.logs.n_calls == 1


class ManyStreams(Logs):
    """Two pages of one stream each, with a line in each."""

    def describe_log_streams(self, **request: Any) -> dict[str, Any]:
        if "nextToken" in request:
            return {"logStreams": [{"logStreamName": "second"}]}
        return {"logStreams": [{"logStreamName": "first"}], "nextToken": "page 2"}

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        line = {"message": f"of the {request['logStreamName']}"}
        return {"events": [] if "nextToken" in request else [line], "nextForwardToken": "t"}


def test_the_logs_of_all_machines_are_read() -> None:
    log = JobLog(ManyStreams(), TRAINING.log_group, "r1-train-1")
    log.read()
    assert log.lines == ["of the first", "of the second"]
