"""Models whose archive is whole and whose files are not: each is no model of this program."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from salescast.container.errors import NO_MODEL
from salescast.container.packing import pack_model
from salescast.errors import RunError
from salescast.forecaster import NEW_MODEL, TransformJob
from salescast.forecaster.local import LocalForecaster

from .conftest import Container
from .lines import make_lines, write_lines

pytestmark = pytest.mark.torch

LINES = make_lines(n_series=4, future=3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The model folder of a training."""
    with pytest.MonkeyPatch.context() as patch:
        container = Container(tmp_path_factory.mktemp("whole"), patch)
        assert container.train(make_lines()) == 0, container.failure
        yield container.root / "model"


@pytest.fixture
def damaged(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    shutil.copytree(whole, tmp_path / "model")
    return Container(tmp_path, monkeypatch)


def is_refused(container: Container) -> bool:
    """Whether the model is refused as none of this program."""
    status = container.transform(LINES, num_samples=5)
    return status == 1 and container.failure.startswith(f"ClientError: model: {NO_MODEL}")


def weights_of(folder: Path) -> Path:
    (file,) = folder.glob("*.npz")
    return file


def settings_of(folder: Path) -> Path:
    (file,) = folder.glob("*.json")
    return file


def change_settings(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    fields = json.loads(settings_of(folder).read_text())
    settings_of(folder).write_text(json.dumps(change(fields)))


def without_weights(folder: Path) -> None:
    with zipfile.ZipFile(weights_of(folder), "w"):
        pass


def other_shape(folder: Path) -> None:
    with np.load(weights_of(folder)) as held:
        weights = {name: np.zeros((1, *held[name].shape)) for name in held}
    np.savez(weights_of(folder), **weights)  # type: ignore[arg-type]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no weights": lambda folder: weights_of(folder).unlink(),
    "empty weights": lambda folder: weights_of(folder).write_bytes(b""),
    "half the weights": lambda folder: weights_of(folder).write_bytes(
        weights_of(folder).read_bytes()[: weights_of(folder).stat().st_size // 2]
    ),
    "text for weights": lambda folder: weights_of(folder).write_bytes(b"PK\x03\x04" + b"x" * 5000),
    "an archive of nothing": without_weights,
    "weights of another shape": other_shape,
    "a pickle": lambda folder: np.savez(weights_of(folder), x=np.array([{}], dtype=object)),
    "no settings": lambda folder: settings_of(folder).unlink(),
    "settings that are a list": lambda folder: change_settings(folder, lambda _: [1]),
    "settings that are nothing": lambda folder: change_settings(folder, lambda _: None),
    "settings of no rules": lambda folder: change_settings(folder, lambda f: {**f, "rules": None}),
    "settings in depth": lambda folder: settings_of(folder).write_text("[" * 100_000),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_model_is_no_model_of_this_program(damaged: Container, damage: str) -> None:
    DAMAGES[damage](damaged.root / "model")
    assert is_refused(damaged), damaged.failure


def test_random_damages_of_the_weights_are_found(damaged: Container, is_long: bool) -> None:
    """Each byte is covered by a sum of the archive, so that none passes."""
    file = weights_of(damaged.root / "model")
    content = file.read_bytes()
    random_bytes = random.Random(3)
    n_found = 0
    for _ in range(60 if is_long else 12):
        broken = bytearray(content)
        place = random_bytes.randrange(len(broken))
        broken[place : place + 16] = random_bytes.randbytes(16)
        file.write_bytes(broken)
        if damaged.transform(LINES, num_samples=5) == 0:
            # What the archive tells of times and rights is read by nobody.
            continue
        assert damaged.failure.startswith(f"ClientError: model: {NO_MODEL}"), damaged.failure
        n_found += 1
    assert n_found > 6


@pytest.mark.parametrize("whole_archive", [True, False])
def test_the_forecaster_proposes_a_new_one(
    damaged: Container, tmp_path: Path, whole_archive: bool
) -> None:
    DAMAGES["half the weights"](damaged.root / "model")
    artifact = tmp_path / "model.tar.gz"
    pack_model(damaged.root / "model", artifact)
    if not whole_archive:
        content = bytearray(artifact.read_bytes())
        content[len(content) // 2] ^= 0xFF
        artifact.write_bytes(content)
    records = write_lines(tmp_path / "in.json", LINES)
    job = TransformJob("deepar", artifact, records, tmp_path / "out.json", tmp_path / "work", "r1")
    with pytest.raises(RunError, match="damaged, or not a model of this program") as caught:
        LocalForecaster(threads=1).transform(job)
    assert caught.value.fix == NEW_MODEL
    assert "--resume" not in str(caught.value)
    assert caught.value.where == str(artifact)
