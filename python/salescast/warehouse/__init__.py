"""What the week asks of a warehouse: build, hand over the exports, publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from salescast.child import Progress
from salescast.lake.trained_models import Encoding

if TYPE_CHECKING:
    from salescast.settings import Settings


@dataclass(frozen=True)
class BuildResult:
    """What a build did; `seconds` are dbt's own, without its start-up."""

    seconds: float
    n_nodes: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cutoff:
    """A requested cutoff as the warehouse resolved it.

    `has_sales` if its week is complete; `newest_week_end_date` is the newest complete week.
    """

    cutoff_date: date
    horizon_weeks: int
    kind: Literal["forecast", "backtest"]
    has_sales: bool
    newest_week_end_date: date


@dataclass(frozen=True)
class Landed:
    """What the lake holds, read without a build.

    `data_hash` changes with each load, retraction and change of settings. Dates are the first
    and last sale; `cutoff_request` is the newest request of cutoffs.
    """

    data_hash: str
    first_date: date | None
    last_date: date | None
    week_ends_on: str | None
    cutoff_request: str | None


@dataclass(frozen=True)
class LandedSeries:
    """Series with a sale up to a cutoff, and their weeks from the first sale to the cutoff."""

    cutoff_date: date
    n_series: int
    n_weeks: int


@dataclass(frozen=True)
class TrainingRecords:
    """Exported training records: their number, and the folder or S3 prefix that holds them."""

    n_records: int
    channel: str


@dataclass(frozen=True)
class Spent:
    """What statements have cost so far where the engine bills the bytes that they scan."""

    n_statements: int
    scanned_bytes: int
    dollars: float

    def since(self, before: Spent) -> Spent:
        """What was spent after `before`."""
        return Spent(
            self.n_statements - before.n_statements,
            self.scanned_bytes - before.scanned_bytes,
            self.dollars - before.dollars,
        )

    def __str__(self) -> str:
        """One line: bytes and price."""
        return (
            f"{self.scanned_bytes / 1e6:,.1f} MB scanned by {self.n_statements:,} statements, "
            f"about ${self.dollars:.5f}"
        )


class Warehouse(Protocol):
    """One engine with the dbt project on it, and the lake it stands on."""

    def landed(self) -> Landed:
        """What the lake holds now."""

    def landed_series(self, cutoffs: Sequence[date]) -> list[LandedSeries]:
        """The landed series at some cutoffs, without a build; cutoffs without one are left out."""

    def build(self, selector: str | None, *, full_refresh: bool = False) -> BuildResult:
        """Run the models, seeds and tests of a selector, or all of them.

        Raises:
            RunError: A model or an error-severity test failed; names each with its message.
        """

    def cutoffs(self) -> list[Cutoff]:
        """The cutoffs that the exports are built for, oldest first."""

    def export_training(self, cutoff: date, to: Path) -> TrainingRecords:
        """Write the training records of a cutoff as gzipped JSON lines.

        Args:
            cutoff: The last week the model is shown.
            to: The file; a warehouse on S3 writes below a prefix that is named like its folder.
        """

    def export_encoding(self, cutoff: date, to: Path) -> Encoding:
        """Write the category map of a cutoff into the folder `to`; returns it with the features."""

    def export_inference(self, cutoff: date, to: Path, encoding: Encoding) -> int:
        """Write the inference records of a cutoff as the encoding's model reads them.

        Series with a category that the model has not seen are left out.
        """

    def export_baseline(self, relation: str, cutoff: date, to: Path) -> int:
        """Write the forecasts of a SQL model at a cutoff as Parquet; returns the rows."""

    def export_run(self, relation: str, run_id: str, to: Path) -> int:
        """Write the forecasts that a model of the warehouse made for a run as Parquet.

        Returns:
            The number of rows; 0, and no file, if there are none or no such table yet.
        """

    def export_series(self, cutoff: date, to: Path) -> int:
        """Write the series of a cutoff and their treatment as Parquet; returns their number."""

    def export_plausible_range(self, cutoff: date, to: Path) -> int:
        """Write what forecasts of a cutoff can be believed to be as Parquet; returns the series."""

    def export_closed_weeks(self, cutoff: date, to: Path) -> int:
        """Write the weeks ahead of a cutoff in which series are closed as Parquet.

        Returns:
            The number of rows; the file is there without any, too.
        """

    def export_shares_ahead(self, cutoff: date, to: Path) -> int:
        """Write the shares of a whole week that weeks ahead of a cutoff have as Parquet.

        Returns:
            The number of rows; the file is there without any, too.
        """

    def publish(self) -> Path:
        """Put the marts and reports where readers open them; returns the place."""

    def spent(self) -> Spent | None:
        """What this object's work has cost so far; None if the engine bills nothing."""


def open_warehouse(settings: Settings, progress: Progress = lambda _: None) -> Warehouse:
    """The warehouse that the settings name."""
    if settings.target == "athena":
        from salescast.warehouse.athena import AthenaWarehouse

        return AthenaWarehouse(settings, progress)
    from salescast.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(settings, progress)
