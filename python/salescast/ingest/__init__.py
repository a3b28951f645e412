"""Landing: the raw files of a data source, as text, into the lake."""

from salescast.ingest.command import ingest
from salescast.ingest.result import (
    IngestResult,
    LandedLoad,
    SkippedFile,
    land_without_question,
    told,
)

__all__ = [
    "IngestResult",
    "LandedLoad",
    "SkippedFile",
    "ingest",
    "land_without_question",
    "told",
]
