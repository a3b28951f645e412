"""SageMaker's operations: one function each, requests checked against botocore's own model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_aws.sagemaker import rules, storage
from local_aws.sagemaker.descriptions import (
    described_model,
    described_training,
    described_transform,
    summary_of_job,
    summary_of_model,
)
from local_aws.sagemaker.errors import SageMakerError, invalid, not_carried_out
from local_aws.sagemaker.faults import Faults
from local_aws.sagemaker.jobs import FINAL, Holdings, Job, Kind, Model, to_its_end
from local_aws.sagemaker.listing import page
from local_aws.sagemaker.machine import Machine
from local_aws.sagemaker.training import Training
from local_aws.sagemaker.transforms import Transform
from local_aws.service_requests import Requests, given

Answer = dict[str, Any]
Request = Mapping[str, Any]

_NOT_FOUND = "Requested resource not found."
_FAULTS_OF_ANY_JOB = ("capacity_errors", "internal_errors", "die", "stuck")


class SageMaker:
    """The API of one SageMaker."""

    def __init__(self, machine: Machine, holdings: Holdings, region: str, faults: Faults) -> None:
        """Keep what the operations work on."""
        self._machine = machine
        self._held = holdings
        self._region = region
        self._faults = faults
        self._requests = Requests("sagemaker")
        self._operations: dict[str, Callable[[Request], Answer]] = {
            "CreateTrainingJob": self._create_training_job,
            "DescribeTrainingJob": self._describe_training_job,
            "ListTrainingJobs": self._list_training_jobs,
            "StopTrainingJob": self._stop_training_job,
            "DeleteTrainingJob": self._delete_training_job,
            "CreateTransformJob": self._create_transform_job,
            "DescribeTransformJob": self._describe_transform_job,
            "ListTransformJobs": self._list_transform_jobs,
            "StopTransformJob": self._stop_transform_job,
            "CreateModel": self._create_model,
            "DescribeModel": self._describe_model,
            "ListModels": self._list_models,
            "DeleteModel": self._delete_model,
            "ListTags": self._list_tags,
            "AddTags": self._add_tags,
        }

    def call(self, operation: str, request: Request) -> Answer | None:
        """Carry out an operation.

        Args:
            operation: Its name, as in X-Amz-Target.
            request: The request's members.

        Returns:
            The answer's members; None if the answer shall get lost.

        Raises:
            SageMakerError: The operation or a member is not known, or it is refused.
        """
        if self._faults.throttles():
            raise SageMakerError("ThrottlingException", "Rate exceeded")
        if operation not in self._operations:
            raise SageMakerError("UnknownOperationException", f"{operation} is not carried out")
        if problem := self._requests.problem(operation, request):
            raise invalid(problem)
        answer = self._operations[operation](request)
        if operation.startswith("Create") and self._faults.takes("lose_answers"):
            return None
        return answer

    def _create_training_job(self, request: Request) -> Answer:
        rules.check_training(request, self._region)
        self._refuse_if_asked(request["ResourceConfig"]["InstanceType"], "training")
        name = request["TrainingJobName"]
        for channel in request.get("InputDataConfig", ()):
            self._check_there(channel["DataSource"]["S3DataSource"]["S3Uri"], request["RoleArn"])
        spot = request.get("EnableManagedSpotTraining")
        own = ("spot_interruptions",) if spot else ()
        job = self._add_job("training-job", name, request, own)
        self._start(job, Training(job, self._machine).run)
        return {"TrainingJobArn": job.arn}

    def _check_there(self, uri: str, role: str) -> None:
        if storage.keys_below(self._machine.s3, uri):
            return
        bucket, _ = storage.split_uri(uri)
        raise invalid(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure '
            f"that the bucket exists in the selected region ({self._region}), that objects exist "
            f'under that S3 prefix, and that the role "{role}" has "s3:ListBucket" permissions on '
            f'bucket "{bucket}".'
        )

    def _describe_training_job(self, request: Request) -> Answer:
        return described_training(self._visible("training-job", request["TrainingJobName"]))

    def _list_training_jobs(self, request: Request) -> Answer:
        if unable := given(request, "WarmPoolStatusEquals", "TrainingPlanArnEquals"):
            raise not_carried_out(*unable)
        # Newest first is the default of the other lists only.
        ordered = {"SortOrder": "Ascending", **request}
        entries, more = self._listed("training-job", "Training", ordered)
        return {"TrainingJobSummaries": entries, **more}

    def _stop_training_job(self, request: Request) -> Answer:
        return self._stop("training-job", request["TrainingJobName"])

    def _delete_training_job(self, request: Request) -> Answer:
        name = request["TrainingJobName"]
        with self._held.lock:
            job = self._job("training-job", name)
            if job.status not in FINAL:
                raise SageMakerError(
                    "ResourceInUse", f"The training job {name} has not ended; stop it first."
                )
            del self._held.jobs["training-job", name]
            self._held.tags.pop(job.arn, None)
        return {}

    def _create_transform_job(self, request: Request) -> Answer:
        model = self._model(request["ModelName"])
        rules.check_transform(request, model.request["PrimaryContainer"]["Image"])
        self._refuse_if_asked(request["TransformResources"]["InstanceType"], "transform")
        name = request["TransformJobName"]
        job = self._add_job("transform-job", name, request, ("truncate_outputs",))
        self._start(job, Transform(job, model, self._machine).run)
        return {"TransformJobArn": job.arn}

    def _describe_transform_job(self, request: Request) -> Answer:
        return described_transform(self._visible("transform-job", request["TransformJobName"]))

    def _list_transform_jobs(self, request: Request) -> Answer:
        entries, more = self._listed("transform-job", "Transform", request)
        return {"TransformJobSummaries": entries, **more}

    def _stop_transform_job(self, request: Request) -> Answer:
        return self._stop("transform-job", request["TransformJobName"])

    def _create_model(self, request: Request) -> Answer:
        rules.check_model(request, self._region)
        uri = request["PrimaryContainer"]["ModelDataUrl"]
        if not storage.exists(self._machine.s3, uri):
            raise invalid(f"Could not find model data at {uri}.")
        model = Model(request["ModelName"], self._arn("model", request["ModelName"]), request)
        with self._held.lock:
            if model.name in self._held.models:
                raise invalid(f'Cannot create already existing model "{model.arn}".')
            self._held.models[model.name] = model
            self._held.tags[model.arn] = _tags(request)
        return {"ModelArn": model.arn}

    def _describe_model(self, request: Request) -> Answer:
        return described_model(self._model(request["ModelName"]))

    def _list_models(self, request: Request) -> Answer:
        with self._held.lock:
            summaries = [summary_of_model(model) for model in self._held.models.values()]
        entries, more = page(summaries, request, "Model")
        return {"Models": entries, **more}

    def _delete_model(self, request: Request) -> Answer:
        with self._held.lock:
            model = self._model(request["ModelName"])
            del self._held.models[model.name]
            self._held.tags.pop(model.arn, None)
        return {}

    def _list_tags(self, request: Request) -> Answer:
        # There are fifty at most: one page.
        with self._held.lock:
            return {"Tags": _listed_tags(self._tags_of(request["ResourceArn"]))}

    def _add_tags(self, request: Request) -> Answer:
        with self._held.lock:
            tags = self._tags_of(request["ResourceArn"])
            tags.update(_tags(request))
            return {"Tags": _listed_tags(tags)}

    def _arn(self, kind: Kind, name: str) -> str:
        return self._held.arn(kind, name)

    def _refuse_if_asked(self, instance: str, use: str) -> None:
        if self._faults.takes("refuse_creates"):
            raise SageMakerError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{instance} for {use} job usage' is 0 Instances, "
                "with current utilization of 0 Instances and a request delta of 1 Instances. "
                "Please use AWS Service Quotas to request an increase for this quota.",
            )

    def _add_job(self, kind: Kind, name: str, request: Request, own_faults: Sequence[str]) -> Job:
        with self._held.lock:
            if (kind, name) in self._held.jobs:
                raise SageMakerError(
                    "ResourceInUse",
                    f"{kind.capitalize().replace('-', ' ')} names must be unique within an AWS "
                    f"account and region, and a job with this name already exists "
                    f"({self._arn(kind, name)})",
                )
            fault = self._faults.of_job(*_FAULTS_OF_ANY_JOB, *own_faults)
            job = Job(kind, name, self._arn(kind, name), request, fault)
            self._held.jobs[kind, name] = job
            self._held.tags[job.arn] = _tags(request)
        return job

    def _start(self, job: Job, work: Callable[[], str | None]) -> None:
        threading.Thread(target=to_its_end, args=(job, work), name=job.name, daemon=True).start()

    def _job(self, kind: Kind, name: str) -> Job:
        with self._held.lock:
            if (kind, name) not in self._held.jobs:
                raise SageMakerError("ResourceNotFound", _NOT_FOUND)
            return self._held.jobs[kind, name]

    def _is_visible(self, job: Job) -> bool:
        return time.time() - job.created >= self._faults.describe_lag_seconds

    def _visible(self, kind: Kind, name: str) -> Job:
        """A job that Describe knows already; botocore's waiters look for this error."""
        with self._held.lock:
            job = self._held.jobs.get((kind, name))
        if job is not None and self._is_visible(job):
            return job
        if kind == "transform-job":
            raise invalid(f"Could not find requested job with name: {name}")
        raise invalid(_NOT_FOUND)

    def _listed(
        self, kind: Kind, word: str, request: Request
    ) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
        with self._held.lock:
            jobs = [job for job in self._held.jobs.values() if job.kind == kind]
        summaries = [summary_of_job(job, word) for job in jobs if self._is_visible(job)]
        return page(summaries, request, f"{word}Job")

    def _stop(self, kind: Kind, name: str) -> Answer:
        job = self._job(kind, name)
        if not job.stop():
            raise invalid(
                f"The request was rejected because the {kind.replace('-', ' ')} is in status "
                f"{job.status}."
            )
        return {}

    def _model(self, name: str) -> Model:
        with self._held.lock:
            if name not in self._held.models:
                raise invalid(f'Could not find model "{self._arn("model", name)}".')
            return self._held.models[name]

    def _tags_of(self, arn: str) -> dict[str, str]:
        if arn not in self._held.tags:
            raise invalid(f"The resource {arn} does not exist.")
        return self._held.tags[arn]


def _tags(request: Request) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}


def _listed_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
