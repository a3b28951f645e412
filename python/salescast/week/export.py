"""The export step: what leaves the warehouse for a run, as files in its work folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from salescast.errors import RunError, UserError
from salescast.files import whole_file
from salescast.lake.trained_models import Encoding
from salescast.warehouse import Warehouse
from salescast.week.output_check import write_manifest


@dataclass(frozen=True)
class RunFiles:
    """Where the files of a run stand in its work folder."""

    work: Path

    @property
    def training(self) -> Path:
        """Training records, one series a line; on S3 the prefix is named like its folder."""
        return self.work / "train" / "train.json.gz"

    @property
    def inference(self) -> Path:
        """Inference records with their item_id, one series a line."""
        return self.work / "inference" / "inference.json"

    @property
    def manifest(self) -> Path:
        """What was exported, outside the folders that the algorithm reads."""
        return self.work / "manifest.json"

    @property
    def inference_items(self) -> Path:
        """The items of the inference records in their order, to hold the output against."""
        return self.work / "inference_items.parquet"

    @property
    def output(self) -> Path:
        """Forecasts as the batch transform wrote them."""
        return self.work / "output" / "inference.json.out"

    @property
    def forecasts(self) -> Path:
        """The output as Parquet, once it is checked."""
        return self.work / "forecasts.parquet"

    @property
    def baseline(self) -> Path:
        """Rows of a dbt model: a sql run's own forecasts, or the fallback of a trained model."""
        return self.work / "baseline.parquet"

    @property
    def stand_in(self) -> Path:
        """Rows of the seasonal naive beside a sql run's own, for what is not believed of these."""
        return self.work / "stand_in.parquet"

    @property
    def total_bands(self) -> Path:
        """How far the quantiles of the run's totals lie from their mean, if it learned that."""
        return self.work / "total_bands.parquet"

    @property
    def series(self) -> Path:
        """The series of the cutoff and how each is treated."""
        return self.work / "series.parquet"

    @property
    def plausible_range(self) -> Path:
        """What a forecast of each series can be believed to be."""
        return self.work / "plausible_range.parquet"

    @property
    def closed_weeks(self) -> Path:
        """The weeks ahead in which series are closed."""
        return self.work / "closed_weeks.parquet"

    @property
    def shares_ahead(self) -> Path:
        """What share of a whole week each week ahead has; the model forecasts whole ones."""
        return self.work / "shares_ahead.parquet"

    @property
    def has_shares_ahead(self) -> bool:
        """Whether the records were exported as of whole weeks; those of old batches were not."""
        return "n_shares_ahead" in json.loads(self.manifest.read_text(encoding="utf-8"))

    @property
    def fallback_items(self) -> Path:
        """The series that landed with the fallback's rows, if there are any."""
        return self.work / "fallback_items.csv"

    @property
    def training_channel(self) -> str:
        """The folder or S3 prefix of the training records, as the manifest tells it."""
        return str(json.loads(self.manifest.read_text(encoding="utf-8"))["training_channel"])

    def encoding(self) -> Encoding:
        """How the exported records are coded."""
        manifest = json.loads(self.manifest.read_text(encoding="utf-8"))
        return Encoding(tuple(manifest["features"]), self.work / "categories.parquet")


def export_rows(warehouse: Warehouse, relation: str, cutoff: date, to: Path) -> int:
    """Write the forecasts that a dbt model holds for a cutoff.

    Args:
        warehouse: Built for this cutoff.
        relation: The dbt model.
        cutoff: The last week the model is shown.
        to: Parquet to write: item_id, horizon_weeks, mean and p05 to p95, among others.

    Returns:
        The number of rows.

    Raises:
        RunError: There is none.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    n_rows = warehouse.export_baseline(relation, cutoff, to)
    if n_rows == 0:
        raise RunError(
            f"No series can be forecast at the cutoff {cutoff}.",
            where=f"relation {relation}",
            fix="Look at rpt_rejected_rows for rows that were not accepted, or take a later "
            "cutoff.",
        )
    return n_rows


def export_series(warehouse: Warehouse, cutoff: date, to: Path) -> None:
    """Write the series of a cutoff and how each is treated.

    Args:
        warehouse: Built for this cutoff.
        cutoff: The last week the model is shown.
        to: Parquet to write: the rows of exp_series.

    Raises:
        RunError: The warehouse holds no series for this cutoff.
    """
    _export_items(warehouse.export_series, "exp_series", cutoff, to)


def export_plausible_range(warehouse: Warehouse, cutoff: date, to: Path) -> None:
    """Write what a forecast of each series can be believed to be.

    Args:
        warehouse: Built for this cutoff.
        cutoff: The last week the model is shown.
        to: Parquet to write: the rows of exp_plausible_range.

    Raises:
        RunError: The warehouse holds no series for this cutoff.
    """
    _export_items(warehouse.export_plausible_range, "exp_plausible_range", cutoff, to)


def export_closed_weeks(warehouse: Warehouse, cutoff: date, to: Path) -> None:
    """Write the weeks ahead in which series are closed, as far as it is known at a cutoff.

    Args:
        warehouse: Built for this cutoff.
        cutoff: The last week the model is shown.
        to: Parquet to write: the rows of exp_closed_weeks, which may be none.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(to) as part:
        warehouse.export_closed_weeks(cutoff, part)


def _export_items(
    export: Callable[[date, Path], int], relation: str, cutoff: date, to: Path
) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(to) as part:
        if export(cutoff, part) == 0:
            raise RunError(
                f"The warehouse has no series at {cutoff}: it was built for other cutoffs since.",
                where=relation,
                fix="Start a new batch: salescast run.",
            )


def export_records(
    warehouse: Warehouse,
    model_id: str,
    cutoff: date,
    files: RunFiles,
    *,
    fallback: str,
    coded_by: tuple[str, Encoding] | None = None,
    config: Mapping[str, Any] | None = None,
) -> str:
    """Write the records that a model is trained on and forecasts from.

    Args:
        warehouse: Built for this cutoff.
        model_id: The model.
        cutoff: The last week the model is shown.
        files: Where to write.
        fallback: Id of the model that can do without these records, for messages.
        coded_by: The trained model to use instead of training one, by its id and how it reads
            records: they are coded so, and there are none to train on.
        config: DuckDB's settings.

    Returns:
        One line on what was written.

    Raises:
        RunError: There is nothing to forecast, or the inference records have no clear items.
        UserError: No series is long enough to train on.
    """
    files.work.mkdir(parents=True, exist_ok=True)
    trained_model_id, encoding = coded_by or (None, warehouse.export_encoding(cutoff, files.work))
    training = None
    if trained_model_id is None:
        training = warehouse.export_training(cutoff, files.training)
        if training.n_records == 0:
            raise UserError(
                f"No series is long enough to train on at the cutoff {cutoff}: each has ended, "
                "has fewer weeks than the horizon, or only zeros.",
                where="exp_deepar__train",
                fix=f"Take a later cutoff or a shorter --horizon, or run --model {fallback} only.",
            )
    n_inference = warehouse.export_inference(cutoff, files.inference, encoding)
    if n_inference == 0:
        raise RunError(
            f"No series can be forecast by {model_id} at the cutoff {cutoff}.",
            where="exp_deepar__inference",
            fix=f"Train a new model, or run --model {fallback} only.",
        )
    write_manifest(files.inference, files.inference_items, config=config or {})
    with whole_file(files.shares_ahead) as part:
        n_shares_ahead = warehouse.export_shares_ahead(cutoff, part)
    manifest = {
        "model_id": model_id,
        "cutoff_date": cutoff.isoformat(),
        "n_training": training.n_records if training else 0,
        "training_channel": training.channel if training else None,
        "n_inference": n_inference,
        "features": list(encoding.features),
        "trained_model_id": trained_model_id,
        "n_shares_ahead": n_shares_ahead,
    }
    files.manifest.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    n_training = training.n_records if training else 0
    text = f"{n_training:,} series to train on, {n_inference:,} to forecast"
    if n_shares_ahead:
        text += (
            f"; {n_shares_ahead:,} weeks ahead are more or less than whole (exports.exp_exposure)"
        )
    return text
