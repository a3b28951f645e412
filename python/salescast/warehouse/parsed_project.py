"""dbt's parse of a project, kept for the builds that come after it.

Parsing takes longer than many a build, and dbt's own partial parse begins anew in each home. What
is kept here is found by a hash of all that it was made from: the project's files, dbt's versions
and the variables that the profile and the project read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from tempfile import NamedTemporaryFile

import yaml
from dbt.constants import DEFAULT_ENV_PLACEHOLDER
from dbt.contracts.graph.manifest import Manifest

_PREFIX = "parsed-"
_FOLDERS = {
    "model-paths": ["models"],
    "macro-paths": ["macros"],
    "seed-paths": ["seeds"],
    "test-paths": ["tests"],
    "snapshot-paths": ["snapshots"],
    "analysis-paths": ["analyses"],
    "docs-paths": [],
    "packages-install-path": "dbt_packages",
}
_READ_BY_DBT = {".sql", ".yml", ".yaml", ".csv", ".md"}
_ENV_VAR = re.compile(r"""env_var\(\s*['"]([A-Za-z0-9_]+)['"]""")
# Places and limits of a run: no relation's name comes from them.
_NOT_PARSED = {
    "SALESCAST_HOME",
    "SALESCAST_MEMORY_LIMIT",
    "SALESCAST_THREADS",
    "SALESCAST_DUCKDB_THREADS",
}


class ParsedProject:
    """The parse of one project under one profile."""

    def __init__(
        self,
        project: Path,
        folder: Path,
        *,
        options: Sequence[str] = (),
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Find the project's files.

        Args:
            project: Folder of `dbt_project.yml` and `profiles.yml`.
            folder: Where parses are kept.
            options: Those of dbt's options that a parse depends on, as `--vars` and its value.
            environment: Variables that the project may read.
        """
        self._project = project
        self._folder = folder
        self._options = tuple(options)
        self._environment = environment
        self._hash = self._hash_now()

    def read(self) -> Manifest | None:
        """The parse; None where there is none of just this project, or it cannot be read."""
        try:
            manifest = Manifest.from_msgpack(self._file.read_bytes())  # type: ignore[attr-defined]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        # Variables that a model read while it was parsed.
        for name, value in manifest.env_vars.items():
            if self._environment.get(name, DEFAULT_ENV_PLACEHOLDER) != value:
                return None
        # Macros that walk over `graph` need what the file leaves out.
        manifest.build_flat_graph()
        return manifest

    @property
    def _file(self) -> Path:
        return self._folder / f"{_PREFIX}{self._hash}.msgpack"

    def keep(self, partial_parse: Path) -> None:
        """Keep what dbt has just parsed, unless the project changed meanwhile."""
        if self._hash_now() != self._hash:
            return
        try:
            content = partial_parse.read_bytes()
        except FileNotFoundError:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self._folder, delete=False) as part:
            part.write(content)
        Path(part.name).replace(self._file)

    def forget_others(self) -> None:
        """Remove parses of other states of the project; for a folder that no other home uses."""
        for path in self._folder.glob(f"{_PREFIX}*.msgpack"):
            if path != self._file:
                path.unlink(missing_ok=True)

    def _hash_now(self) -> str:
        return _hash(self._project, self._options, self._environment)


def _hash(project: Path, options: Sequence[str], environment: Mapping[str, str]) -> str:
    digest = hashlib.sha256()

    def add(*texts: str) -> None:
        for text in texts:
            digest.update(text.encode() + b"\0")

    add(str(project), *options)
    for name in ("dbt-core", "dbt-adapters", "dbt-duckdb", "dbt-athena", "dbt-athena-community"):
        try:
            add(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            add(name)
    settings = [project / "dbt_project.yml", project / "profiles.yml"]
    for path in [*settings, *_files(project)]:
        add(path.relative_to(project).as_posix())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    names = {name for path in settings for name in _ENV_VAR.findall(path.read_text("utf-8"))}
    for name in sorted(names - _NOT_PARSED):
        add(name, environment.get(name, DEFAULT_ENV_PLACEHOLDER))
    return digest.hexdigest()


def _files(project: Path) -> Iterator[Path]:
    """All files that dbt reads, in one order."""
    own = yaml.safe_load((project / "dbt_project.yml").read_text("utf-8")) or {}
    yield from sorted(
        path
        for path in project.glob("*.yml")
        if path.name not in ("dbt_project.yml", "profiles.yml")
    )
    for key, default in _FOLDERS.items():
        places = own.get(key, default)
        for place in [places] if isinstance(places, str) else places:
            yield from sorted(
                path
                for path in (project / place).rglob("*")
                if path.suffix in _READ_BY_DBT and path.is_file()
            )
