"""Read the published marts and write the report as one HTML file."""

from __future__ import annotations

import logging
from pathlib import Path

import duckdb

from salescast import disk
from salescast.errors import RunError, UserError
from salescast.files import whole_file
from salescast.marts.reader import open_marts
from salescast.report.page import page_content
from salescast.report.render import render

logger = logging.getLogger(__name__)


def write_report(marts: Path, out: Path, *, schema: str = "salescast") -> Path:
    """Write the report of a published marts file as one self-contained HTML file.

    Args:
        marts: The published DuckDB file; it is opened read-only.
        out: The HTML file to write; its folder is made, an older file is replaced in one step.
        schema: Prefix of the schemas, as in `<schema>_marts`.

    Returns:
        The path that was written.

    Raises:
        UserError: The file does not exist or holds no marts under this schema.
        RunError: The file cannot be opened or the page cannot be written.
    """
    with open_marts(marts, schema=schema) as source:
        missing = source.missing_tables()
        if missing:
            raise UserError(
                f"The marts file lacks {', '.join(missing)}.",
                where=str(marts),
                fix="Publish it with `salescast build`, or set SALESCAST_SCHEMA to its schema.",
            )
        try:
            page = page_content(source)
        except duckdb.Error as error:
            raise RunError(
                f"The marts cannot be read: {error}",
                where=str(marts),
                fix="Publish them again with this version: `salescast build`.",
            ) from error
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out, shared=True) as unfinished:
            unfinished.write_text(render(page), encoding="utf-8")
    except OSError as error:
        if (refused := disk.told(error, out)) is not None:
            raise refused from error
        raise RunError(
            f"The report cannot be written: {error}",
            where=str(out),
            fix="Choose a file in a folder you may write to.",
        ) from error
    logger.info("wrote %s", out)
    return out
