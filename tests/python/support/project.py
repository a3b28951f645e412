"""The dbt project with models that are made in seconds."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[3]

TINY_MODEL = """
[tiny]
recipe = "deepar"

[tiny.hyperparameters]
time_freq = "W"
context_length = 8
epochs = 1
mini_batch_size = 16
num_cells = 6
num_layers = 1

[tiny.extensions]
num_batches_per_epoch = 2
seed = 3
"""

TINY_BLEND = """
[tiny_blend]
recipe = "blend"
members = ["snaive_52", "snaive_calendar"]
"""


def project_with_tiny_model(folder: Path) -> Path:
    """The dbt project with a DeepAR that trains in seconds, and a blend of SQL models."""
    folder.mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml", "selectors.yml"):
        (folder / name).symlink_to(REPOSITORY / name)
    for name in ("macros", "mappings", "models", "seeds", "tests"):
        (folder / name).symlink_to(REPOSITORY / name, target_is_directory=True)
    models = (REPOSITORY / "models.toml").read_text(encoding="utf-8")
    (folder / "models.toml").write_text(models + TINY_MODEL + TINY_BLEND, encoding="utf-8")
    return folder
