"""What pyproject.toml cannot say: the dbt project goes into the package as salescast/project.

An editable install takes the files where they stand.
"""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "python"))

from salescast.project_files import project_files  # noqa: E402


class BuildWithProject(build_py):
    """Copies the dbt project beside the modules, and names it to the sdist."""

    def run(self) -> None:
        """Build the modules, then add the project."""
        super().run()
        if self.editable_mode:
            return
        for path in project_files(ROOT):
            target = Path(self.build_lib, "salescast", "project", path)
            self.mkpath(str(target.parent))
            self.copy_file(str(ROOT / path), str(target), preserve_mode=False)

    def get_source_files(self) -> list[str]:
        """Files that an sdist must hold, so that a wheel can be built from it."""
        return [*super().get_source_files(), *(str(path) for path in project_files(ROOT))]


setup(cmdclass={"build_py": BuildWithProject})
