"""Codecs that Athena writes files with, by their format, and what Trino calls them."""

from __future__ import annotations

from local_aws.gateway.sql.errors import not_reproduced, refusal

_TEXT = ("BZIP2", "GZIP", "LZ4", "SNAPPY", "ZSTD", "NONE")
# Source: Athena's user guide, compression support, what engine version 3 writes.
_CODECS = {
    "PARQUET": ("GZIP", "SNAPPY", "ZSTD", "NONE"),
    "ORC": ("LZ4", "SNAPPY", "ZLIB", "ZSTD", "NONE"),
    "AVRO": ("BZIP2", "DEFLATE", "SNAPPY", "ZSTD", "NONE"),
    "TEXTFILE": _TEXT,
    "JSON": _TEXT,
}
# Trino's writers of ORC and Avro do these under the name GZIP.
_NAMES_IN_TRINO = {"ZLIB": "GZIP", "DEFLATE": "GZIP"}


def codec_session(
    catalog: str, file_format: str, codec: str | None, *, refused_as: str = "INVALID_TABLE_PROPERTY"
) -> dict[str, str]:
    """The session in which Trino writes with a codec; without one, Trino's own choice.

    Args:
        catalog: Trino's catalogue.
        file_format: The format of the files, in upper case.
        codec: As Athena names it.
        refused_as: Name of the error.

    Raises:
        QueryFailed: Athena does not write the format with it, or Trino has it not.
    """
    if codec is None:
        return {}
    if codec.upper() not in _CODECS[file_format]:
        raise refusal(
            refused_as,
            f"line 1:1: Unsupported compression for {file_format}: {codec}; "
            f"one of {', '.join(_CODECS[file_format])} is expected",
        )
    if codec.upper() == "BZIP2":
        raise not_reproduced("The compression BZIP2")
    name = _NAMES_IN_TRINO.get(codec.upper(), codec.upper())
    return {f"{catalog}.compression_codec": name}
