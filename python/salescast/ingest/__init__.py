"""Landing: the raw files of a data source, as text, into the lake."""

from salescast.ingest.command import IngestResult, LandedLoad, SkippedFile, ingest
from salescast.ingest.loads import complete_loads, retract

__all__ = ["IngestResult", "LandedLoad", "SkippedFile", "complete_loads", "ingest", "retract"]
