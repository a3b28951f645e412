"""A copy of the program's own dbt project, to edit."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from salescast import disk
from salescast.dbt_project import own_project
from salescast.errors import UserError
from salescast.project_files import project_files

README = """\
# A salescast project

A copy of the dbt project that turns raw store sales into weekly forecasts. `salescast`, started in
this folder, works with it; its data goes to `var/` (another place: `SALESCAST_HOME`).

Try it on made-up data:

    salescast simulate var/demo
    salescast ingest var/demo --mapping demo
    salescast run --model snaive_52 --backtests 1 && salescast report

| to change | edit |
|---|---|
| how your files are read | a copy of `mappings/retail.yml`, which explains each key |
| forecast models and their hyperparameters | `models.toml` |
| weeks ahead, season, schemas | `dbt_project.yml` (keep its `name` and `version`) |
| a mart or report | `models/marts/`, `models/reports/`; the YAML beside the SQL is its contract |
| when a load or a build is refused | `tests/` |
| connections and threads | `profiles.yml`, or the `SALESCAST_*` variables |

`salescast doctor` tells which project it works with, and warns when the program has become newer.
"""
GITIGNORE = """\
/var/
/target/
/logs/
/dbt_packages/
.user.yml
"""


@dataclass(frozen=True)
class NewProject:
    """A folder that was filled, and the number of its files."""

    folder: Path
    n_files: int


def init_project(folder: Path) -> NewProject:
    """Fill a folder that is new or empty with the project, a README and a .gitignore.

    Raises:
        UserError: The folder has something in it, is a file, or cannot be written.
    """
    folder = folder.expanduser().resolve()
    source = own_project()
    files = list(project_files(source))
    begun = False
    try:
        if folder.exists() and not folder.is_dir():
            raise UserError(
                "A project needs a folder; this is a file.",
                where=str(folder),
                fix="Name a new folder.",
            )
        if folder.is_dir() and (found := sorted(path.name for path in folder.iterdir())):
            raise UserError(
                f"The folder is not empty: it has {', '.join(found[:3])}"
                f"{f' and {len(found) - 3} more' if len(found) > 3 else ''}.",
                where=str(folder),
                fix="Name a new folder; nothing was written.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        begun = True
        (folder / "README.md").write_text(README, encoding="utf-8")
        (folder / ".gitignore").write_text(GITIGNORE, encoding="utf-8")
        for path in files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            # The text only: where the package may not be written to, neither could its copy.
            shutil.copyfile(source / path, folder / path)
    except OSError as error:
        if begun:
            # It was new or empty: what is in it now is half a project.
            shutil.rmtree(folder, ignore_errors=True)
        refused = disk.told(error, folder)
        if refused is not None and not isinstance(error, NotADirectoryError):
            raise refused from error
        raise UserError(
            f"The project could not be written: {error.strerror or error}.",
            where=str(error.filename or folder),
            fix="Name a folder that this user may write.",
        ) from error
    return NewProject(folder, len(files) + 2)
