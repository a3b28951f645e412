"""DeepAR on this machine: our program as a subprocess, in a tree like a container's /opt/ml."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salescast import __version__, disk
from salescast.child import Progress, run_child
from salescast.container.errors import NO_MODEL, ContractError
from salescast.container.packing import pack_model, unpack_model
from salescast.container.paths import ContainerPaths
from salescast.errors import RunError, UserError
from salescast.forecaster import (
    NEW_MODEL,
    NUM_SAMPLES,
    JobUsage,
    Limits,
    TrainingJob,
    TransformJob,
    Use,
)
from salescast.lake.trained_models import is_built_in
from salescast.quantiles import QUANTILES

if TYPE_CHECKING:
    from salescast.s3 import Prefix

_EPOCH = re.compile(r"#quality_metric: host=\S+, epoch=(\d+), train loss <loss>=(\S+)")
_TRANSFORMED = re.compile(r"^transform: (\d+)/(\d+) series")


class LocalForecaster:
    """Runs `python -m salescast.container` with this interpreter."""

    name = "local"
    max_attempts = 1
    price_table = None

    def __init__(
        self,
        *,
        threads: int,
        progress: Progress = lambda _: None,
        command: Sequence[str] = (sys.executable, "-m", "salescast.container"),
        open_s3: Callable[[str], Prefix] | None = None,
    ) -> None:
        """Keep the settings.

        Args:
            threads: CPU threads a job may use.
            progress: Told the epoch and loss, then the share of records that is done.
            command: Start of the program's command line; `train` or `transform` follows.
            open_s3: Opens the prefix of a channel on S3; None where the lake is a folder.
        """
        self._threads = threads
        self._progress = progress
        self._command = tuple(command)
        self._open_s3 = open_s3

    @property
    def program(self) -> str:
        """Program with its version, kept with each trained model."""
        return f"salescast.deepar {__version__}"

    def check_ready(self, libraries: Sequence[str] = ()) -> None:
        """Refuse early if a library that the jobs import is missing.

        Raises:
            UserError: One is not installed.
        """
        missing = [name for name in libraries if not importlib.util.find_spec(name)]
        if missing:
            raise UserError(
                f"Training needs {' and '.join(missing)}, which this environment does not have.",
                where=sys.prefix,
                fix="Install what is missing (DeepAR's: pip install 'salescast[deepar]'), or run "
                "without it: --model snaive_52.",
            )

    def limits(self, use: Use) -> Limits | None:
        """None: what runs here is not billed."""
        return None

    def check_model(self, model_id: str, extensions: Mapping[str, Any]) -> None:
        """Our program takes every model of `models.toml`."""

    def check_artifact(self, program: str) -> None:
        """Refuse an artifact of SageMaker's built-in DeepAR, which only its image can read.

        Raises:
            UserError: It is one.
        """
        if is_built_in(program):
            raise UserError(
                "The model was trained by SageMaker's built-in DeepAR, which does not run here.",
                where=program,
                fix="Set SALESCAST_FORECASTER to sagemaker, or train a new model.",
            )

    def used(self) -> Sequence[JobUsage]:
        """Nothing: what runs here is not billed."""
        return ()

    def train(self, job: TrainingJob) -> Path:
        """Train a model; returns its `model.tar.gz` in the work folder.

        Raises:
            RunError: The program failed; holds the reason that it wrote.
        """
        paths = ContainerPaths(_fresh(job.work / "ml_train"))
        paths.hyperparameters.parent.mkdir(parents=True)
        _write_json(paths.hyperparameters, dict(job.hyperparameters))
        _write_json(paths.input_data_config, {"train": {"TrainingInputMode": "File"}})
        _write_json(
            paths.hyperparameters.with_name("resourceconfig.json"),
            {"current_host": "algo-1", "hosts": ["algo-1"]},
        )
        channel = paths.channel("train")
        channel.mkdir(parents=True)
        self._fill(channel, job.channel)
        for folder in (paths.model, paths.failure.parent):
            folder.mkdir()

        epochs = job.hyperparameters.get("epochs", "?")

        def show(line: str) -> None:
            if found := _EPOCH.search(line):
                self._progress(
                    f"{job.name}: epoch {int(found[1]) + 1}/{epochs}, loss {float(found[2]):.4g}"
                )

        self._progress(f"{job.name}: training starts")
        self._run(["train"], paths, job.work / "train.log", show, f"Training {job.name}")
        artifact = job.work / "model.tar.gz"
        pack_model(paths.model, artifact)
        shutil.rmtree(paths.root)
        return artifact

    def transform(self, job: TransformJob) -> Path:
        """Forecast each record of the input file; returns the output file.

        Raises:
            RunError: The program failed; holds the reason that it wrote.
        """
        paths = ContainerPaths(_fresh(job.work / "ml_transform"))
        paths.failure.parent.mkdir(parents=True)
        try:
            unpack_model(job.artifact, paths.model)
        except ContractError as error:
            if error.__cause__ and (refused := disk.told(error.__cause__, paths.model)):
                raise refused from error
            raise _no_model(str(error), job.artifact) from error
        job.output_file.parent.mkdir(parents=True, exist_ok=True)
        job.output_file.unlink(missing_ok=True)
        inference = {
            "num_samples": NUM_SAMPLES,
            "output_types": ["mean", "quantiles"],
            "quantiles": list(QUANTILES),
        }

        def show(line: str) -> None:
            if found := _TRANSFORMED.search(line):
                self._progress(f"{job.name}: {found[1]}/{found[2]} series")

        self._progress(f"{job.name}: forecasting starts")
        self._run(
            [
                "transform",
                *("--input", str(job.input_file)),
                *("--output", str(job.output_file)),
                *("--join", "item_id"),
            ],
            paths,
            job.work / "transform.log",
            show,
            f"Forecasting {job.name}",
            {"DEEPAR_INFERENCE_CONFIG": json.dumps(inference)},
            artifact=job.artifact,
        )
        job.check(job.output_file)
        shutil.rmtree(paths.root)
        return job.output_file

    def _fill(self, folder: Path, channel: str) -> None:
        """Put the files of a channel into the container's folder."""
        if self._open_s3 is not None and channel.startswith("s3://"):
            prefix = self._open_s3(channel)
            prefix.download_all(prefix.sizes(""), folder)
            return
        for path in Path(channel).iterdir():
            (folder / path.name).hardlink_to(path)

    def _run(
        self,
        arguments: Sequence[str],
        paths: ContainerPaths,
        log: Path,
        on_line: Callable[[str], None],
        task: str,
        environment: Mapping[str, str] | None = None,
        *,
        artifact: Path | None = None,
    ) -> None:
        status = run_child(
            [*self._command, *arguments],
            log=log,
            on_line=on_line,
            environment={
                "SAGEMAKER_BASE_DIR": str(paths.root),
                "DEEPAR_NUM_THREADS": str(self._threads),
                # numpy's products are small here: on more threads they wait for each other.
                "OPENBLAS_NUM_THREADS": "1",
                "PYTHONUNBUFFERED": "1",
                **(environment or {}),
            },
        )
        if status == 0:
            return
        reason = (
            paths.failure.read_text(encoding="utf-8").strip()
            if paths.failure.is_file()
            else _last_line(log) or "the program gave no reason"
        )
        if (refused := disk.told_text(reason, paths.root)) is not None:
            raise refused
        if artifact is not None and NO_MODEL in reason:
            raise _no_model(reason, artifact)
        raise RunError(
            f"{task} failed (exit status {status}): {reason}",
            where=str(log),
            fix="A ClientError names data or settings to mend (models.toml, the mapping): start a "
            "new run then. Otherwise go on with `salescast run --resume`.",
        )


def _no_model(reason: str, artifact: Path) -> RunError:
    return RunError(
        f"The trained model is damaged, or not a model of this program: {reason}",
        where=str(artifact),
        fix=NEW_MODEL,
    )


def _fresh(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines[-1] if lines else ""
