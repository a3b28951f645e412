"""The container contract without torch: paths, settings, records, artifacts and failures."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salescast.deepar.hyperparameters import (
    EXTENSIONS,
    SAGEMAKER_HYPERPARAMETERS,
    Hyperparameters,
    parse_hyperparameters,
    to_strings,
    validate_hyperparameters,
)
from salescast.deepar.records import (
    ContractError,
    Record,
    Summary,
    check_inference_file,
    check_inference_records,
    check_training_file,
    check_training_records,
    read_records,
)

__all__ = [
    "EXTENSIONS",
    "SAGEMAKER_HYPERPARAMETERS",
    "ContainerPaths",
    "ContractError",
    "Hyperparameters",
    "InferenceConfig",
    "Record",
    "Summary",
    "check_inference_file",
    "check_inference_records",
    "check_training_file",
    "check_training_records",
    "pack_model",
    "parse_hyperparameters",
    "parse_inference_config",
    "read_hyperparameters",
    "read_records",
    "to_strings",
    "unpack_model",
    "validate_hyperparameters",
    "write_failure",
]

FAILURE_LENGTH = 1024
OUTPUT_TYPES = ("mean", "quantiles", "samples")


@dataclass(frozen=True)
class ContainerPaths:
    """The tree that SageMaker mounts at /opt/ml."""

    root: Path

    @classmethod
    def from_environment(cls) -> ContainerPaths:
        """The tree named by SAGEMAKER_BASE_DIR."""
        return cls(Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")))

    @property
    def hyperparameters(self) -> Path:
        """File of the job's hyperparameters."""
        return self.root / "input" / "config" / "hyperparameters.json"

    @property
    def input_data_config(self) -> Path:
        """File that describes the job's channels."""
        return self.root / "input" / "config" / "inputdataconfig.json"

    def channel(self, name: str) -> Path:
        """Folder of a channel's files."""
        return self.root / "input" / "data" / name

    @property
    def model(self) -> Path:
        """Folder of the trained model."""
        return self.root / "model"

    @property
    def failure(self) -> Path:
        """File that tells why a job failed."""
        return self.root / "output" / "failure"

    def content_type(self, channel: str) -> str | None:
        """Content type that the job gives a channel, if any.

        Raises:
            ContractError: The channel file is not JSON, or a channel is not one of DeepAR's.
        """
        if not self.input_data_config.exists():
            return None
        config = _read_json_object(self.input_data_config)
        for name, settings in config.items():
            if name not in ("train", "test"):
                raise ContractError(f"channel {name}: DeepAR takes train and test only")
            if isinstance(settings, dict) and settings.get("TrainingInputMode") == "Pipe":
                raise ContractError(f"channel {name}: DeepAR takes the File mode only")
        settings = config.get(channel)
        value = settings.get("ContentType") if isinstance(settings, dict) else None
        return value if isinstance(value, str) else None


def _read_json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ContractError(f"{path.name}: file is missing") from None
    except ValueError as error:
        raise ContractError(f"{path.name}: Error when parsing json: {error}") from None
    if not isinstance(value, dict):
        raise ContractError(f"{path.name}: must be a JSON object")
    return value


def read_hyperparameters(paths: ContainerPaths) -> Hyperparameters:
    """Read and check the hyperparameters of the job."""
    return parse_hyperparameters(_read_json_object(paths.hyperparameters))


@dataclass(frozen=True)
class InferenceConfig:
    """What a forecast should hold.

    Attributes:
        num_samples: Sample paths a series.
        output_types: Of mean, quantiles and samples, those wanted.
        quantiles: Levels as the texts that become the keys of the answer.
    """

    num_samples: int = 100
    output_types: tuple[str, ...] = ("mean", "quantiles")
    quantiles: tuple[str, ...] = tuple(f"0.{q}" for q in range(1, 10))


def parse_inference_config(text: str | None) -> InferenceConfig:
    """Read DEEPAR_INFERENCE_CONFIG; keys that are absent keep their documented default.

    Raises:
        ContractError: Names every key that is unknown or wrong.
    """
    if text is None or not text.strip():
        return InferenceConfig()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ContractError(f"DEEPAR_INFERENCE_CONFIG: Error when parsing json: {error}") from None
    if not isinstance(value, dict):
        raise ContractError("DEEPAR_INFERENCE_CONFIG: must be a JSON object")
    return inference_config(value)


def inference_config(value: Mapping[str, Any]) -> InferenceConfig:
    """Check a configuration object, as a request or the environment gives it."""
    default = InferenceConfig()
    problems = [
        f"{name} is not a key of the configuration"
        for name in value
        if name not in ("num_samples", "output_types", "quantiles")
    ]
    num_samples = value.get("num_samples", default.num_samples)
    if type(num_samples) is not int or num_samples < 1:
        problems.append(f"num_samples must be an integer >= 1, not {num_samples!r}")
    output_types = value.get("output_types", list(default.output_types))
    if (
        not isinstance(output_types, list)
        or not output_types
        or any(kind not in OUTPUT_TYPES for kind in output_types)
    ):
        problems.append(f"output_types must be a list of {', '.join(OUTPUT_TYPES)}")
    quantiles = value.get("quantiles", list(default.quantiles))
    if not isinstance(quantiles, list) or not all(map(_is_quantile, quantiles)):
        problems.append('quantiles must be a list of texts between "0" and "1", such as "0.5"')
    if problems:
        raise ContractError(f"inference configuration: {'; '.join(problems)}")
    return InferenceConfig(num_samples, tuple(output_types), tuple(quantiles))


def _is_quantile(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return 0 < float(value) < 1
    except ValueError:
        return False


def write_failure(path: Path, kind: str, reason: str) -> str:
    """Write the failure file in one paragraph and return its text.

    Args:
        path: The job's failure file.
        kind: ClientError for data or settings, AlgorithmError for the program itself.
        reason: Why the job failed.
    """
    # JSON may hold half a character, which UTF-8 does not have.
    words = reason.encode("utf-8", "backslashreplace").decode("utf-8")
    text = f"{kind}: {' '.join(words.split())}"[:FAILURE_LENGTH]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return text


def pack_model(model_dir: Path, tar_path: Path) -> None:
    """Pack a model folder as model.tar.gz, the same bytes for the same files.

    The archive appears under its name only when complete.
    """
    temporary = tar_path.with_name(f".{tar_path.name}.part")
    tar_path.parent.mkdir(parents=True, exist_ok=True)
    with (
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for path in sorted(model_dir.rglob("*")):
            archive.add(
                path,
                arcname=path.relative_to(model_dir).as_posix(),
                recursive=False,
                filter=_anonymous,
            )
    temporary.replace(tar_path)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Drop owner, times and special bits, so that an archive depends on its files alone."""
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def unpack_model(tar_path: Path, target_dir: Path) -> None:
    """Unpack model.tar.gz into a folder; members that leave it are refused.

    Raises:
        ContractError: The archive is broken or holds an unsafe member.
    """
    target_dir.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(tar_path, mode="r:gz") as archive:
            archive.extractall(target_dir, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ContractError(f"{tar_path.name}: cannot be unpacked: {error}") from error
