"""The export step: which files a run gets, and when there is nothing to write."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from salescast.errors import RunError, SalescastError, UserError
from salescast.lake.trained_models import Encoding, TrainedModel
from salescast.warehouse import TrainingRecords
from salescast.week.export import RunFiles, export_records, export_rows
from support.answers import write_lines

CUTOFF = date(2026, 10, 31)


class FakeWarehouse:
    """Answers with numbers of rows, and notes what was asked."""

    def __init__(self, **rows: int) -> None:
        self.rows = {"training": 5, "inference": 6, "baseline": 26, "shares_ahead": 0, **rows}
        self.calls: list[tuple[Any, ...]] = []

    def export_training(self, cutoff: date, to: Path) -> TrainingRecords:
        self.calls.append(("training", cutoff, to))
        return TrainingRecords(self.rows["training"], str(to.parent))

    def export_encoding(self, cutoff: date, to: Path) -> Encoding:
        self.calls.append(("encoding", cutoff, to))
        return Encoding(("promotion", "event:easter"), to / "categories.parquet")

    def export_inference(self, cutoff: date, to: Path, encoding: Encoding) -> int:
        self.calls.append(("inference", cutoff, to, encoding))
        items = [{"item_id": f"1:{n}"} for n in range(self.rows["inference"])]
        write_lines(to, reversed(items))
        return self.rows["inference"]

    def export_shares_ahead(self, cutoff: date, to: Path) -> int:
        self.calls.append(("shares_ahead", cutoff, to))
        to.write_bytes(b"")
        return self.rows["shares_ahead"]

    def export_baseline(self, relation: str, cutoff: date, to: Path) -> int:
        self.calls.append(("baseline", relation, cutoff, to))
        return self.rows["baseline"]


def export(warehouse: FakeWarehouse, files: RunFiles, trained: TrainedModel | None = None) -> str:
    return export_records(
        warehouse,  # type: ignore[arg-type]
        "deepar",
        CUTOFF,
        files,
        fallback="snaive_52",
        coded_by=trained and (trained.trained_model_id, trained.encoding),
    )


def export_naive(warehouse: FakeWarehouse, files: RunFiles) -> int:
    return export_rows(
        warehouse,  # type: ignore[arg-type]
        "baseline_snaive_52",
        CUTOFF,
        files.baseline,
    )


def test_the_rows_of_a_relation_are_counted(tmp_path: Path) -> None:
    warehouse, files = FakeWarehouse(), RunFiles(tmp_path / "run")
    assert export_naive(warehouse, files) == 26
    assert warehouse.calls == [("baseline", "baseline_snaive_52", CUTOFF, files.baseline)]


def test_a_model_to_train_gets_both_files_and_the_map(tmp_path: Path) -> None:
    warehouse, files = FakeWarehouse(), RunFiles(tmp_path / "run")
    detail = export(warehouse, files)
    assert detail == "5 series to train on, 6 to forecast"
    assert [call[0] for call in warehouse.calls] == [
        "encoding",
        "training",
        "inference",
        "shares_ahead",
    ]
    manifest = json.loads(files.manifest.read_text())
    assert manifest["n_training"] == 5
    assert files.encoding().features == ("promotion", "event:easter")
    assert pq.read_table(files.inference_items).to_pydict() == {
        "position": [1, 2, 3, 4, 5, 6],
        "item_id": ["1:5", "1:4", "1:3", "1:2", "1:1", "1:0"],
    }
    assert files.has_shares_ahead and files.shares_ahead.is_file()
    for path in (files.manifest, files.inference_items, files.shares_ahead):
        assert path.parent not in (files.training.parent, files.inference.parent)


def test_a_trained_model_codes_the_records_and_nothing_is_trained(tmp_path: Path) -> None:
    trained = TrainedModel(
        tmp_path / "t1", "t1", "deepar", CUTOFF, 13, {}, ("promotion",), "fake 1"
    )
    warehouse, files = FakeWarehouse(), RunFiles(tmp_path / "run")
    export(warehouse, files, trained)
    assert [call[0] for call in warehouse.calls] == ["inference", "shares_ahead"]
    assert warehouse.calls[0][3] == Encoding(("promotion",), tmp_path / "t1" / "categories.parquet")


def test_weeks_ahead_that_are_not_whole_are_told(tmp_path: Path) -> None:
    detail = export(FakeWarehouse(shares_ahead=1204), RunFiles(tmp_path / "run"))
    assert detail.endswith("; 1,204 weeks ahead are more or less than whole (exports.exp_exposure)")


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        ({"baseline": 0}, RunError, "No series can be forecast at the cutoff 2026-10-31"),
        ({"training": 0}, UserError, "No series is long enough to train on"),
        ({"inference": 0}, RunError, "No series can be forecast by deepar"),
    ],
)
def test_nothing_to_write_is_an_error(
    tmp_path: Path, rows: dict[str, int], kind: type[SalescastError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        warehouse, files = FakeWarehouse(**rows), RunFiles(tmp_path)
        export_naive(warehouse, files)
        export(warehouse, files)
    assert caught.value.fix
