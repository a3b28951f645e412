"""Write the requirements of deploy/image from its requirements.in and requirements.lock.

Two files, since the CPU image takes torch from another index and nothing of CUDA:
`requirements-common.txt` for both images, `requirements-cuda.txt` for the GPU image only.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGE = ROOT / "deploy" / "image"
# torch asks for it to compile extensions, which the image does not do.
BUILD_TOOL = re.compile(r"setuptools==")
CUDA = re.compile(r"(torch|triton|cuda-.*|nvidia-.*)==")
ENTRY = re.compile(r"^\S.*(?:\n\s.*)*\n", re.MULTILINE)


def main() -> None:
    """Resolve with uv for x86-64 Linux and split the result."""
    with tempfile.TemporaryDirectory() as folder:
        resolved = Path(folder) / "requirements.txt"
        command = [
            *("uv", "pip", "compile", str(IMAGE / "requirements.in")),
            *("--constraint", str(ROOT / "requirements.lock")),
            *("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"),
            *("--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url"),
            *("--quiet", "--output-file", str(resolved)),
        ]
        subprocess.run(command, check=True)
        found = ENTRY.findall(resolved.read_text(encoding="utf-8"))
    entries = [entry for entry in found if not BUILD_TOOL.match(entry)]
    of_cuda = [entry for entry in entries if CUDA.match(entry)]
    common = [entry for entry in entries if not CUDA.match(entry)]
    (IMAGE / "requirements-cuda.txt").write_text("".join(of_cuda), encoding="utf-8")
    (IMAGE / "requirements-common.txt").write_text("".join(common), encoding="utf-8")


if __name__ == "__main__":
    main()
