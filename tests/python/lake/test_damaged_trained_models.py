"""Trained models of the lake whose files are damaged: told, with another one proposed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salescast.errors import UserError
from salescast.lake import Lake
from salescast.lake.trained_models import (
    Encoding,
    TrainedModel,
    check_categories,
    keep_trained_model,
    read_trained_model,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def trained(lake: Lake, tmp_path: Path) -> TrainedModel:
    categories = tmp_path / "categories.parquet"
    codes = {"cat_position": [0, 1], "code": [0, 0], "category_value": ["1", "a"]}
    pq.write_table(pa.table(codes), categories)
    (tmp_path / "model.tar.gz").write_bytes(b"artifact")
    return keep_trained_model(
        lake,
        "run-1-deepar",
        artifact=tmp_path / "model.tar.gz",
        encoding=Encoding((), categories),
        model_id="deepar",
        cutoff_date=date(2026, 10, 31),
        prediction_length=4,
        hyperparameters={},
        program="salescast.deepar 0",
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b'"text"', b"[" * 100_000,
     b'{"id": "x", "model_id": "deepar", "cutoff_date": "soon"}'],
)  # fmt: skip
def test_a_description_that_cannot_be_read_is_told(
    lake: Lake, trained: TrainedModel, content: bytes
) -> None:
    path = trained.folder / "trained_model.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged: its description") as caught:
        read_trained_model(lake, "run-1-deepar")
    assert caught.value.where == str(path)
    assert "train a new one" in str(caught.value.fix)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet" * 100])
def test_a_category_map_that_cannot_be_read_is_told(trained: TrainedModel, content: bytes) -> None:
    check_categories(trained)
    trained.encoding.categories.write_bytes(content)
    with pytest.raises(UserError, match="is damaged: its category map") as caught:
        check_categories(trained)
    assert caught.value.where == str(trained.encoding.categories)
    assert "train a new one" in str(caught.value.fix)
