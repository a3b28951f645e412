"""A quick program with the command line and the tree of the DeepAR program, for tests of jobs.

Its hyperparameters: `epochs`, and `seconds` that it sleeps after the first. It goes on from its
checkpoint folder. A transform takes the variable SECONDS.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(os.environ["SAGEMAKER_BASE_DIR"])


def fail(reason: str) -> None:
    (ROOT / "output" / "failure").write_text(reason, encoding="utf-8")
    sys.exit(1)


def train() -> None:
    settings = json.loads((ROOT / "input/config/hyperparameters.json").read_bytes())
    files = sorted(
        p.relative_to(ROOT / "input/data") for p in (ROOT / "input/data").rglob("*.json")
    )
    print("files:", *files)
    if "fail" in settings:
        fail(settings["fail"])
    kept = ROOT / "checkpoints"
    kept.mkdir(exist_ok=True)
    first = len(list(kept.iterdir()))
    print(f"begins at epoch {first}")
    for epoch in range(first, int(settings.get("epochs", "2"))):
        (kept / f"epoch-{epoch}").touch()
        print(f"#quality_metric: host=algo-1, epoch={epoch}, train loss <loss>={9 - epoch}")
        if epoch == 0:
            time.sleep(float(settings.get("seconds", "0")))
    (ROOT / "model" / "model.json").write_text(os.environ.get("NOTE", "none"), encoding="utf-8")


def transform(source: Path, target: Path, field: str | None) -> None:
    time.sleep(float(os.environ.get("SECONDS", "0")))
    lines = source.read_text(encoding="utf-8").splitlines()
    answers: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        if line == "bad":
            fail(f"ClientError: {source.name}:{number}: Error when parsing json")
        answer = {"config": os.environ.get("DEEPAR_INFERENCE_CONFIG")}
        joined = {field: json.loads(line)[field], "SageMakerOutput": answer} if field else answer
        answers.append(joined)
    target.write_text("".join(json.dumps(each) + "\n" for each in answers), encoding="utf-8")


if sys.argv[1] == "train":
    train()
else:
    options = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    transform(Path(options["--input"]), Path(options["--output"]), options.get("--join"))
