"""What AWS refuses in a Create request beyond the shapes, and what is not carried out here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from local_aws.sagemaker import images
from local_aws.sagemaker.errors import invalid, not_carried_out
from local_aws.service_requests import given

CONTAINER_TREE = "/opt/ml"
CHECKPOINTS = f"{CONTAINER_TREE}/checkpoints"
DAY = 86_400
_MOST_SECONDS = 28 * DAY
# Of built-in algorithms that do not checkpoint, as DeepAR.
_MOST_BUILT_IN_WAIT = 3600
_PAYLOAD_MB = 6
_MOST_PAYLOAD_MB = 100
_JSON_LINES = "application/jsonlines"
_JOINED = re.compile(r"\$\['(?P<field>[^'\"\]]+)','SageMakerOutput'\]")
_GPU = re.compile(r"ml\.(p|g|trn|inf)\d")

# Members that AWS acts on and this server does not.
_TRAINING = (
    "AlgorithmSpecification.AlgorithmName",
    "AlgorithmSpecification.ContainerEntrypoint",
    "AlgorithmSpecification.ContainerArguments",
    "AlgorithmSpecification.TrainingImageConfig",
    "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries",
    "ResourceConfig.InstanceGroups",
    "ResourceConfig.KeepAlivePeriodInSeconds",
    "ResourceConfig.TrainingPlanArn",
    "ResourceConfig.InstancePlacementConfig",
    "ResourceConfig.InstancePreferences",
    "ResourceConfig.SelectedInstanceType",
    "ResourceConfig.SelectedInstanceCount",
    "StoppingCondition.MaxPendingTimeInSeconds",
    "DebugHookConfig",
    "DebugRuleConfigurations",
    "TensorBoardOutputConfig",
    "ExperimentConfig",
    "ProfilerConfig",
    "ProfilerRuleConfigurations",
    "RemoteDebugConfig",
    "InfraCheckConfig",
    "SessionChainingConfig",
    "ServerlessJobConfig",
    "MlflowConfig",
    "ModelPackageConfig",
)
_CHANNEL = (
    "DataSource.FileSystemDataSource",
    "DataSource.DatasetSource",
    "DataSource.S3DataSource.AttributeNames",
    "DataSource.S3DataSource.InstanceGroupNames",
    "DataSource.S3DataSource.ModelAccessConfig",
    "DataSource.S3DataSource.HubAccessConfig",
    "ShuffleConfig",
)
_MODEL = (
    "Containers",
    "InferenceExecutionConfig",
    "PrimaryContainer.ImageConfig",
    "PrimaryContainer.ModelDataSource",
    "PrimaryContainer.AdditionalModelDataSources",
    "PrimaryContainer.ModelPackageName",
    "PrimaryContainer.InferenceSpecificationName",
    "PrimaryContainer.MultiModelConfig",
    "PrimaryContainer.ContainerMetricsConfig",
)
_TRANSFORM = (
    "DataCaptureConfig",
    "ExperimentConfig",
    "TransformResources.TransformAmiVersion",
)


def check_training(request: Mapping[str, Any], region: str) -> None:
    """Check a CreateTrainingJob of the right shape.

    Raises:
        SageMakerError: AWS refuses it, or this server does not carry it out.
    """
    _refuse(request, _TRAINING)
    algorithm = request["AlgorithmSpecification"]
    image = algorithm.get("TrainingImage")
    if not image:
        raise invalid("AlgorithmSpecification: TrainingImage is required")
    _check_image(image, region)
    _only(algorithm, "TrainingInputMode", "File")
    if images.is_built_in(image) and algorithm.get("MetricDefinitions"):
        raise invalid(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please "
            "retry the request without specifying metric definitions."
        )
    for definition in algorithm.get("MetricDefinitions", ()):
        _check_metric(definition)
    resources = request.get("ResourceConfig", {})
    for name in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
        if not resources.get(name):
            raise invalid(f"ResourceConfig: {name} is required")
    _check_channels(request.get("InputDataConfig", ()))
    _only(request["OutputDataConfig"], "CompressionType", "GZIP")
    _check_uri(request["OutputDataConfig"]["S3OutputPath"], "S3OutputPath")
    _check_times(request, built_in=images.is_built_in(image))
    if checkpoints := request.get("CheckpointConfig"):
        _check_uri(checkpoints["S3Uri"], "CheckpointConfig.S3Uri")
        local = PurePosixPath(checkpoints.get("LocalPath", CHECKPOINTS))
        if PurePosixPath(CONTAINER_TREE) not in local.parents or ".." in local.parts:
            raise not_carried_out(f"CheckpointConfig.LocalPath {local} outside {CONTAINER_TREE}")
    _check_tags(request)


def check_model(request: Mapping[str, Any], region: str) -> None:
    """Check a CreateModel of the right shape.

    Raises:
        SageMakerError: AWS refuses it, or this server does not carry it out.
    """
    _refuse(request, _MODEL)
    container = request.get("PrimaryContainer", {})
    for name in ("Image", "ModelDataUrl"):
        if not container.get(name):
            raise invalid(f"PrimaryContainer: {name} is required")
    if not request.get("ExecutionRoleArn"):
        raise invalid("ExecutionRoleArn is required")
    _check_image(container["Image"], region)
    _only(container, "Mode", "SingleModel")
    _check_uri(container["ModelDataUrl"], "ModelDataUrl")
    if not container["ModelDataUrl"].endswith(".tar.gz"):
        raise invalid(f"ModelDataUrl {container['ModelDataUrl']} must end in .tar.gz")
    _check_environment(container.get("Environment", {}))
    _check_tags(request)


def check_transform(request: Mapping[str, Any], image: str) -> None:
    """Check a CreateTransformJob of the right shape, for a model of this image.

    Raises:
        SageMakerError: AWS refuses it, or this server does not carry it out.
    """
    _refuse(request, _TRANSFORM)
    source, target = request["TransformInput"], request["TransformOutput"]
    _only(source["DataSource"]["S3DataSource"], "S3DataType", "S3Prefix")
    _check_uri(source["DataSource"]["S3DataSource"]["S3Uri"], "S3Uri")
    _check_uri(target["S3OutputPath"], "S3OutputPath")
    _only(source, "CompressionType", "None")
    _only(source, "ContentType", _JSON_LINES)
    _only(target, "Accept", _JSON_LINES)
    if source.get("SplitType", "None") not in ("None", "Line"):
        raise not_carried_out(f"SplitType {source['SplitType']}")
    _check_payload(request)
    _check_join(request)
    _check_environment(request.get("Environment", {}))
    instance = request["TransformResources"]["InstanceType"]
    if images.is_built_in(image) and _GPU.match(instance):
        raise invalid(f"DeepAR forecasts on CPU machines only; {instance} is none")
    _check_tags(request)


def joined_field(request: Mapping[str, Any]) -> str | None:
    """The input field that each output line of a transform repeats; None without a join."""
    found = _JOINED.fullmatch(request.get("DataProcessing", {}).get("OutputFilter", "$"))
    return found["field"] if found else None


def payload_bytes(request: Mapping[str, Any]) -> int:
    """The longest record of a transform."""
    return int(request.get("MaxPayloadInMB", _PAYLOAD_MB)) * 2**20


def _refuse(request: Mapping[str, Any], paths: Iterable[str]) -> None:
    if unable := given(request, *paths):
        raise not_carried_out(*unable)


def _only(members: Mapping[str, Any], name: str, value: str) -> None:
    if members.get(name, value) != value:
        raise not_carried_out(f"{name} {members[name]}")


def _check_uri(uri: str, name: str) -> None:
    if not uri.startswith("s3://"):
        raise not_carried_out(f"{name} {uri} that is not s3://")


def _check_image(image: str, region: str) -> None:
    of_image = images.region_of(image)
    if of_image not in (None, region):
        raise invalid(
            f"Invalid image URI {image}. The image is in the region {of_image}; it must be in "
            f"{region}, as the job is."
        )


def _check_metric(definition: Mapping[str, Any]) -> None:
    try:
        groups = re.compile(definition["Regex"]).groups
    except re.error as error:
        raise invalid(f"Metric {definition['Name']}: {error}") from error
    if groups != 1:
        raise invalid(f"Metric {definition['Name']}: the regex must have one group")


def _check_channels(channels: Iterable[Mapping[str, Any]]) -> None:
    names = [channel["ChannelName"] for channel in channels]
    if len(set(names)) < len(names):
        raise invalid(f"Channel names must be unique: {', '.join(names)}")
    for channel in channels:
        # The pattern lets them pass, and they are no folder of their own.
        if channel["ChannelName"] in (".", ".."):
            raise not_carried_out(f"ChannelName {channel['ChannelName']}")
        _refuse(channel, _CHANNEL)
        source = channel["DataSource"].get("S3DataSource")
        if source is None:
            raise invalid(f"Channel {channel['ChannelName']}: S3DataSource is required")
        _only(source, "S3DataType", "S3Prefix")
        _check_uri(source["S3Uri"], "S3Uri")
        _only(channel, "CompressionType", "None")
        _only(channel, "RecordWrapperType", "None")
        _only(channel, "InputMode", "File")


def _check_times(request: Mapping[str, Any], *, built_in: bool) -> None:
    limits = request.get("StoppingCondition", {})
    run, wait = limits.get("MaxRuntimeInSeconds", DAY), limits.get("MaxWaitTimeInSeconds")
    if run > _MOST_SECONDS:
        raise invalid(f"MaxRuntimeInSeconds must be at most {_MOST_SECONDS}, not {run}")
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise invalid("MaxWaitTimeInSeconds needs EnableManagedSpotTraining")
        return
    if wait is None:
        raise invalid("EnableManagedSpotTraining needs MaxWaitTimeInSeconds")
    if wait < run:
        raise invalid(
            f"Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
            f"MaxRuntimeInSeconds, {run}"
        )
    if built_in and wait > _MOST_BUILT_IN_WAIT:
        raise invalid(
            f"MaxWaitTimeInSeconds of an algorithm that does not checkpoint must be at most "
            f"{_MOST_BUILT_IN_WAIT}, not {wait}"
        )


def _check_payload(request: Mapping[str, Any]) -> None:
    megabytes = request.get("MaxPayloadInMB", _PAYLOAD_MB)
    if megabytes == 0:
        raise not_carried_out("MaxPayloadInMB 0")
    if megabytes * max(1, request.get("MaxConcurrentTransforms", 1)) > _MOST_PAYLOAD_MB:
        raise invalid(
            f"MaxPayloadInMB times MaxConcurrentTransforms must be at most {_MOST_PAYLOAD_MB}"
        )


def _check_join(request: Mapping[str, Any]) -> None:
    processing = request.get("DataProcessing", {})
    source, target = request["TransformInput"], request["TransformOutput"]
    _only(processing, "InputFilter", "$")
    if processing.get("JoinSource", "None") == "None":
        _only(processing, "OutputFilter", "$")
        return
    if None in (source.get("ContentType"), target.get("Accept")):
        raise invalid("JoinSource Input needs ContentType and Accept, both the same")
    if source.get("SplitType", "None") != target.get("AssembleWith", "None"):
        raise invalid("JoinSource Input needs SplitType and AssembleWith to be the same")
    if joined_field(request) is None:
        raise not_carried_out(
            f"OutputFilter {processing.get('OutputFilter')} other than $['<field>',"
            "'SageMakerOutput']"
        )


def _check_environment(environment: Mapping[str, str]) -> None:
    if "DEEPAR_FORWARDED_FIELDS" in environment:
        raise not_carried_out("DEEPAR_FORWARDED_FIELDS")


def _check_tags(request: Mapping[str, Any]) -> None:
    keys = [tag["Key"] for tag in request.get("Tags", ())]
    if len(set(keys)) < len(keys):
        raise invalid("Duplicate tag keys found")
