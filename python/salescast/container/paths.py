"""The tree of a job: where its files are, and the file that tells why it failed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salescast.container.errors import ContractError

FAILURE_LENGTH = 1024
HOST = "algo-1"
"""Name of the only machine, as metrics tell it."""


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
        config = read_json_object(self.input_data_config)
        for name, settings in config.items():
            if name not in ("train", "test"):
                raise ContractError(f"channel {name}: DeepAR takes train and test only")
            if isinstance(settings, dict) and settings.get("TrainingInputMode") == "Pipe":
                raise ContractError(f"channel {name}: DeepAR takes the File mode only")
        settings = config.get(channel)
        value = settings.get("ContentType") if isinstance(settings, dict) else None
        return value if isinstance(value, str) else None


def read_json_object(path: Path) -> dict[str, Any]:
    """Read one of the small files of a job or a model.

    Raises:
        ContractError: It is missing or no JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ContractError(f"{path.name}: file is missing") from None
    except ValueError as error:
        raise ContractError(f"{path.name}: Error when parsing json: {error}") from None
    if not isinstance(value, dict):
        raise ContractError(f"{path.name}: must be a JSON object")
    return value


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
