"""What can be known of the image without Docker: its files, its libraries, what it imports."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .conftest import SETTINGS
from .lines import make_lines, write_lines

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[3]
IMAGE = ROOT / "deploy" / "image"
REQUIREMENTS = ("requirements-common.txt", "requirements-cuda.txt")
BUILD_TOOLS = re.compile(r"apt-get|\bapk\b|build-essential|\bgcc\b|pip install|\bcurl\b|\bgit\b")

Instructions = list[tuple[str, str]]


def _stages() -> list[Instructions]:
    """Instructions and arguments of each stage, without what stands before the first."""
    text = (IMAGE / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[Instructions] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, arguments = line.partition(" ")
        if name == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((name, " ".join(arguments.split())))
    return stages


def _arguments(stage: Instructions, name: str) -> list[str]:
    return [arguments for instruction, arguments in stage if instruction == name]


def _pins(name: str) -> dict[str, str]:
    text = (IMAGE / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^(\S+)==(\S+) ", text, flags=re.MULTILINE))


def test_the_image_does_not_run_as_root() -> None:
    final = _stages()[-1]
    assert final[-1] == ("USER", "${RUN_AS}")
    assert "RUN_AS=1000:1000" in _arguments(final, "ARG")
    assert any("useradd --uid 1000 " in command for command in _arguments(final, "RUN"))


def test_the_final_stage_has_no_build_tools() -> None:
    libraries, final = _stages()
    assert libraries[0][1].endswith(" AS libraries")
    assert "slim" in (IMAGE / "Dockerfile").read_text(encoding="utf-8").split("FROM", 1)[0]
    commands = _arguments(final, "RUN")
    assert not any(BUILD_TOOLS.search(command) for command in commands)
    assert any("pip uninstall" in command for command in commands)
    for name in REQUIREMENTS:
        assert {"pip", "setuptools", "wheel"}.isdisjoint(_pins(name))


def test_the_final_stage_holds_the_program_its_libraries_and_the_entry_points() -> None:
    copies = _arguments(_stages()[-1], "COPY")
    assert copies == [
        "--from=libraries /opt/program /opt/program",
        "python/salescast/__init__.py /opt/program/source/salescast/",
        "python/salescast/container /opt/program/source/salescast/container",
        "--chmod=755 deploy/image/bin/train deploy/image/bin/serve /usr/local/bin/",
    ]


@pytest.mark.parametrize("name", ["train", "serve"])
def test_an_entry_point_can_be_run(name: str) -> None:
    path = IMAGE / "bin" / name
    assert path.stat().st_mode & stat.S_IXUSR
    assert f"exec python -m salescast.container {name}" in path.read_text(encoding="utf-8")


def test_the_platform_may_choose_the_port() -> None:
    labels = " ".join(_arguments(_stages()[-1], "LABEL"))
    assert 'com.amazonaws.sagemaker.capabilities.accept-bind-to-port="true"' in labels


def test_docker_gets_every_file_that_is_copied_and_little_else() -> None:
    lines = (IMAGE / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "*"
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    sources = [
        source
        for stage in _stages()
        for copy in _arguments(stage, "COPY")
        if "--from" not in copy
        for source in copy.removeprefix("--chmod=755 ").split()[:-1]
    ]
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(source == name or source.startswith(f"{name}/") for name in allowed), source
    for name in allowed:
        assert any(source == name or source.startswith(f"{name}/") for source in sources), name
    assert lines[-1] == "**/__pycache__"


def test_every_library_is_pinned_with_its_hash() -> None:
    for name in REQUIREMENTS:
        text = (IMAGE / name).read_text(encoding="utf-8")
        for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]:
            assert re.match(r"\S+==\S+ \\\n", entry), entry
            assert "--hash=sha256:" in entry, entry


def test_the_libraries_have_the_versions_of_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    # A set: some libraries have one version for each Python.
    locked = set(re.findall(r"^(\S+)==(\S+) ", lock, flags=re.MULTILINE))
    pins = _pins("requirements-common.txt") | _pins("requirements-cuda.txt")
    assert {"gluonts", "torch", "waitress", "pyarrow"} <= set(pins)
    assert set(pins.items()) <= locked


def test_the_cpu_image_gets_nothing_of_cuda() -> None:
    of_cuda = re.compile(r"nvidia-|cuda-|triton$|torch$")
    assert not [name for name in _pins("requirements-common.txt") if of_cuda.match(name)]
    pins = _pins("requirements-cuda.txt")
    assert {"torch", "triton"} < set(pins)
    assert all(map(of_cuda.match, pins))


def test_the_image_has_what_the_extra_deepar_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {re.split(r"[\[<>=]", text)[0] for text in project["optional-dependencies"]["deepar"]}
    assert extra <= set(_pins("requirements-common.txt"))


def _link_libraries(folder: Path) -> None:
    """Make a folder with the image's libraries and no other, as links to those installed here."""
    folder.mkdir()
    for name in [*_pins("requirements-common.txt"), *_pins("requirements-cuda.txt")]:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            # A machine whose torch is the one for the CPU.
            assert name in _pins("requirements-cuda.txt")
            continue
        for top in {Path(file).parts[0] for file in distribution.files or []} - {".."}:
            if not (folder / top).is_symlink():
                (folder / top).symlink_to(distribution.locate_file(top))


def test_the_program_runs_with_the_libraries_of_the_image_alone(tmp_path: Path) -> None:
    """The files that the Dockerfile copies train where no other library can be imported."""
    source, libraries = tmp_path / "source", tmp_path / "libraries"
    (source / "salescast").mkdir(parents=True)
    shutil.copy(ROOT / "python" / "salescast" / "__init__.py", source / "salescast")
    shutil.copytree(ROOT / "python" / "salescast" / "container", source / "salescast" / "container")
    _link_libraries(libraries)
    ml = tmp_path / "ml"
    config = ml / "input" / "config" / "hyperparameters.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps(SETTINGS | {"epochs": "1"}), encoding="utf-8")
    write_lines(ml / "input" / "data" / "train" / "part.json", make_lines())

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        # -S leaves out site-packages, so that only the two folders and Python itself are there.
        return subprocess.run(
            [sys.executable, "-S", *arguments],
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": f"{source}:{libraries}",
                "SAGEMAKER_BASE_DIR": str(ml),
                "DEEPAR_NUM_THREADS": "1",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )

    others = "dbt", "duckdb", "boto3", "click"
    find = f"import importlib.util as u; print([name for name in {others} if u.find_spec(name)])"
    assert run("-c", find).stdout == "[]\n"
    trained = run("-m", "salescast.container", "train")
    assert trained.returncode == 0, trained.stderr
    assert (ml / "model" / "model_algo-1-config.json").exists()
    served = run("-c", "import salescast.container.serve as serve; print(serve.__file__)")
    assert served.stdout.startswith(str(source)), served.stderr
