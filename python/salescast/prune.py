"""What old batches leave behind and nobody needs: working files, and models of SageMaker.

Only finished batches are touched, and of them only what a run worked with. The lake (forecasts,
runs, trained models) and the batch records stay.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from salescast.errors import SalescastError
from salescast.lake import Lake, utc_naive
from salescast.week.batch import RECORD, batch_folders, read_record

if TYPE_CHECKING:
    from salescast.s3 import Prefix
    from salescast.settings import Settings


@dataclass(frozen=True)
class OldBatch:
    """A finished batch and its runs; `folder` is its own in this home, None in another home."""

    batch_id: str
    run_ids: tuple[str, ...]
    folder: Path | None


@dataclass(frozen=True)
class Removal:
    """One thing that goes: its kind, its place and size, and the call that removes it."""

    kind: str
    place: str
    n_files: int
    n_bytes: int
    remove: Callable[[], None]


def find_removals(settings: Settings, lake: Lake, older_than_days: int) -> Iterator[Removal]:
    """Everything that old batches have left, in the places that the settings name.

    The home first, so that there is room for what is read of the lake after it; S3's work prefix on
    the target athena; the staging prefix and the models with the forecaster sagemaker. Removes
    nothing: each removal is made by its own `remove`.

    Args:
        settings: The settings.
        lake: The lake, whose finished batches of other homes count too.
        older_than_days: Days since a batch was finished.
    """
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    _, own = _own_batches(settings.batches, before)
    yield from _folders([batch.folder for batch in own if batch.folder is not None])
    batches = find_old_batches(settings.batches, lake, before)
    if not batches:
        return
    run_ids = {run_id for batch in batches for run_id in batch.run_ids}
    if settings.forecaster == "sagemaker":
        # Models first: one without its artifact is of no use to anybody.
        yield from _models(settings, run_ids)
        yield from _objects(settings, settings.sagemaker_staging_uri, "staging", run_ids)
    if settings.target == "athena":
        ids = {batch.batch_id for batch in batches}
        yield from _objects(settings, settings.work_uri, "work on S3", ids)


def find_old_batches(batches: Path, lake: Lake, before: datetime) -> list[OldBatch]:
    """Batches that were finished before a moment, oldest first.

    A batch of this home is finished when its record says so. Of other homes that share the lake
    only the landed steps are known: there it is one that has published.

    Args:
        batches: Folder of this home's batches.
        lake: The lake.
        before: The moment.
    """
    own, found = _own_batches(batches, before)
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"""
            select batch_id, list(distinct run_id) filter (where run_id is not null)
            from ({lake.scan_sql("run_steps")})
            group by batch_id
            having bool_or(step = 'publish' and status = 'done') and max(finished_at) < ?
            """,
            [utc_naive(before)],
        ).fetchall()
    found += [
        OldBatch(batch_id, tuple(run_ids or ()), folder=None)
        for batch_id, run_ids in rows
        if batch_id not in own
    ]
    return sorted(found, key=lambda batch: batch.batch_id)


def _own_batches(batches: Path, before: datetime) -> tuple[set[str], list[OldBatch]]:
    """Ids of this home's batches, and those of them that were finished before a moment."""
    found = []
    own = set()
    for folder in batch_folders(batches):
        try:
            record = read_record(folder)
        except SalescastError:
            # Nobody knows whether it is finished; `salescast status` tells it.
            own.add(folder.name)
            continue
        # A copy of a batch's folder, which somebody made by hand, is nobody's to clear.
        if record.batch_id != folder.name:
            continue
        own.add(record.batch_id)
        ended = max((attempt.finished_at for attempt in record.attempts), default=record.created_at)
        if record.status == "done" and ended < before:
            runs = tuple(run.run_id for run in record.runs)
            found.append(OldBatch(record.batch_id, runs, folder))
    return own, found


def _folders(batches: Collection[Path]) -> list[Removal]:
    """Work folders of batches, whose records stay."""
    removals = []
    for batch in batches:
        for path in sorted(batch.iterdir()):
            # The record, and what a killed command leaves of one that it was about to write.
            if path.name == RECORD or path.name.startswith(f".{RECORD}."):
                continue
            files = [file for file in [path, *path.rglob("*")] if file.is_file()]
            n_bytes = sum(file.stat().st_size for file in files)
            remove = partial(shutil.rmtree, path) if path.is_dir() else path.unlink
            removals.append(Removal("work folder", str(path), len(files), n_bytes, remove))
    return removals


def _objects(settings: Settings, uri: str, kind: str, names: Collection[str]) -> list[Removal]:
    """Objects below the prefixes of these names."""
    from salescast.s3 import opener

    place: Prefix = opener(settings)(uri)
    sizes: dict[str, list[int]] = defaultdict(list)
    for key, n_bytes in place.sizes("").items():
        name, slash, _ = key.partition("/")
        if slash and name in names:
            sizes[name].append(n_bytes)
    return [
        Removal(
            kind,
            f"{place.uri}/{name}/",
            len(found),
            sum(found),
            partial(place.delete_all, name),
        )
        for name, found in sorted(sizes.items())
    ]


def _models(settings: Settings, run_ids: Collection[str]) -> list[Removal]:
    from salescast.aws import client, open_session
    from salescast.forecaster.sagemaker.old_models import delete_model, find_models

    sagemaker = client(open_session(settings), "sagemaker")
    return [
        Removal("model", name, 0, 0, partial(delete_model, sagemaker, name))
        for name in find_models(sagemaker, run_ids)
    ]
