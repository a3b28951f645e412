"""Folders with a space and quotes in their names: the whole chain, with training."""

from __future__ import annotations

from pathlib import Path

from support.home import Home
from support.project import project_with_tiny_model


def test_the_chain_works_in_folders_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / 'Anna\'s "shops" of 50 % [1]*'
    home = Home(folder / "the home", project_with_tiny_model(folder / "the project"))
    data = folder / "the data"
    home.command("simulate", data, "--stores", "1", "--departments", "2", "--weeks", "160")
    home.command("ingest", data, "--mapping", "demo")
    home.command("run", "--model", "tiny", "--horizon", "4")
    assert home.batch.status == "done"
    landed = home.marts(
        "select model_id, count(*) from shop_marts.fct_forecast group by 1 order by 1"
    )
    assert landed == [("snaive_52", 8), ("tiny", 8)]
    home.command("report", "--out", folder / "the report.html")
    assert "tiny" in (folder / "the report.html").read_text(encoding="utf-8")
    home.command("prune", "--older-than", "0")
    assert [path.name for path in home.batch_folder.iterdir()] == ["batch.json"]
