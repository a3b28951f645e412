"""Requests to SageMaker as pure functions of a run and the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salescast.forecaster import NUM_SAMPLES
from salescast.forecaster.sagemaker.settings import SageMakerSettings
from salescast.lake.trained_models import is_built_in
from salescast.quantiles import QUANTILES

Request = dict[str, Any]

RUN_TAG = "salescast:run_id"
JSON_LINES = "application/jsonlines"

# DeepAR is not among the built-ins that keep checkpoints, so AWS lets it wait this long only.
MAX_WAIT_WITHOUT_CHECKPOINTS = 3600

# Machines with disks of their own encrypt these in hardware and refuse a key for the volume.
_LOCAL_STORAGE = re.compile(r"ml\.([a-z]+\d+[a-z]*d[a-z]*|i\d\w*|p[45]\w*|g[56]\w*|trn\d\w*)\.")


@dataclass(frozen=True)
class Staging:
    """Where the files of one run stand on S3: names below `s3://bucket/prefix/<run_id>`."""

    uri: str

    @property
    def train(self) -> str:
        """The training channel."""
        return f"{self.uri}/train/"

    @property
    def models(self) -> str:
        """Output of the training jobs, one folder each."""
        return f"{self.uri}/models/"

    def checkpoints(self, attempt: int) -> str:
        """Checkpoints of a training job on spot machines, should its image keep any."""
        return f"{self.uri}/checkpoints/{attempt}/"

    @property
    def model(self) -> str:
        """The artifact that a batch transform loads."""
        return f"{self.uri}/model/model.tar.gz"

    @property
    def transform_input(self) -> str:
        """Parts of the inference file."""
        return f"{self.uri}/transform/input/"

    def transform_output(self, attempt: int) -> str:
        """Output of a transform job; a prefix of its own, so that no older file is in it."""
        return f"{self.uri}/transform/output/{attempt}/"


@dataclass(frozen=True)
class Requests:
    """Builds the requests of one run.

    Attributes:
        run_id: The run, of which every name is made.
        image: The container of both jobs.
        staging: Its files on S3.
        settings: What the jobs are asked for with.
        kms_key_id: Key of volumes and outputs; None for the account's own.
    """

    run_id: str
    image: str
    staging: Staging
    settings: SageMakerSettings
    kms_key_id: str | None = None

    def training_job_name(self, attempt: int) -> str:
        """Name of the n-th training job."""
        return f"{self.run_id}-train-{attempt}"

    def transform_job_name(self, attempt: int) -> str:
        """Name of the n-th transform job."""
        return f"{self.run_id}-predict-{attempt}"

    def model_name(self, attempt: int) -> str:
        """Name of the model that the n-th transform job loads."""
        return f"{self.run_id}-model-{attempt}"

    def training_job(
        self, attempt: int, hyperparameters: Mapping[str, str], channel: str
    ) -> Request:
        """CreateTrainingJob.

        Args:
            attempt: Counts the jobs of the run from 1.
            hyperparameters: As texts.
            channel: S3 prefix of the training records, ending in a slash.
        """
        settings = self.settings
        # No ContentType: the names end in .json.gz, by which the algorithm knows the format.
        # No test channel: the rows reach the cutoff, so nothing is held out to score on.
        request: Request = {
            "TrainingJobName": self.training_job_name(attempt),
            "RoleArn": settings.role_arn,
            "AlgorithmSpecification": {"TrainingImage": self.image, "TrainingInputMode": "File"},
            "HyperParameters": dict(hyperparameters),
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "InputMode": "File",
                    "DataSource": _s3_prefix(channel, S3DataDistributionType="FullyReplicated"),
                }
            ],
            "OutputDataConfig": {"S3OutputPath": self.staging.models, **self._output_key},
            "ResourceConfig": {
                "InstanceType": settings.train_instance_type,
                "InstanceCount": settings.train_instance_count,
                "VolumeSizeInGB": settings.train_volume_gb,
                **self._volume_key(settings.train_instance_type),
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": settings.train_max_seconds},
            "EnableNetworkIsolation": settings.network_isolation,
            "Tags": self._tags,
            **self._vpc,
        }
        if settings.train_spot:
            request |= self._spot(attempt)
        return request

    def model(self, attempt: int) -> Request:
        """CreateModel: the artifact in the container that a batch transform runs."""
        return {
            "ModelName": self.model_name(attempt),
            "ExecutionRoleArn": self.settings.role_arn,
            "PrimaryContainer": {"Image": self.image, "ModelDataUrl": self.staging.model},
            "EnableNetworkIsolation": self.settings.network_isolation,
            "Tags": self._tags,
            **self._vpc,
        }

    def transform_job(self, attempt: int) -> Request:
        """CreateTransformJob: one line a request, its item_id joined to the answer."""
        settings = self.settings
        inference = {
            "num_samples": NUM_SAMPLES,
            "output_types": ["mean", "quantiles"],
            "quantiles": list(QUANTILES),
        }
        return {
            "TransformJobName": self.transform_job_name(attempt),
            "ModelName": self.model_name(attempt),
            "BatchStrategy": "SingleRecord",
            "MaxPayloadInMB": settings.transform_max_payload_mb,
            "Environment": {"DEEPAR_INFERENCE_CONFIG": json.dumps(inference)},
            "TransformInput": {
                "DataSource": _s3_prefix(self.staging.transform_input),
                "ContentType": JSON_LINES,
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": self.staging.transform_output(attempt),
                "Accept": JSON_LINES,
                "AssembleWith": "Line",
                **self._output_key,
            },
            "DataProcessing": {
                "JoinSource": "Input",
                "OutputFilter": "$['item_id','SageMakerOutput']",
            },
            "TransformResources": {
                "InstanceType": settings.transform_instance_type,
                "InstanceCount": settings.transform_instance_count,
                **self._volume_key(settings.transform_instance_type),
            },
            "Tags": self._tags,
        }

    def _spot(self, attempt: int) -> Request:
        runtime = self.settings.train_max_seconds
        wait = self.settings.train_max_wait_seconds or runtime
        if is_built_in(self.image):
            wait = min(wait, MAX_WAIT_WITHOUT_CHECKPOINTS)
            runtime = min(runtime, wait)
            checkpoints = {}
        else:
            # Our program keeps none yet: an interruption begins from zero here too.
            checkpoints = {"CheckpointConfig": {"S3Uri": self.staging.checkpoints(attempt)}}
        return {
            "EnableManagedSpotTraining": True,
            "StoppingCondition": {
                "MaxRuntimeInSeconds": runtime,
                "MaxWaitTimeInSeconds": wait,
            },
            **checkpoints,
        }

    @property
    def _tags(self) -> list[dict[str, str]]:
        tags = {**self.settings.tags, RUN_TAG: self.run_id}
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    @property
    def _vpc(self) -> Request:
        if not self.settings.subnets:
            return {}
        return {
            "VpcConfig": {
                "Subnets": list(self.settings.subnets),
                "SecurityGroupIds": list(self.settings.security_groups),
            }
        }

    @property
    def _output_key(self) -> Request:
        return {"KmsKeyId": self.kms_key_id} if self.kms_key_id else {}

    def _volume_key(self, instance_type: str) -> Request:
        if self.kms_key_id is None or _LOCAL_STORAGE.match(instance_type):
            return {}
        return {"VolumeKmsKeyId": self.kms_key_id}


def _s3_prefix(uri: str, **more: str) -> Request:
    return {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **more}}
