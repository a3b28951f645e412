"""The price table: what it knows, what it says of the rest, and what is refused in a user's own."""

from __future__ import annotations

from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from salescast.errors import UserError
from salescast.forecaster.sagemaker.prices import COLUMNS, read_prices
from salescast.forecaster.sagemaker.settings import SageMakerSettings

HEADER = ",".join(COLUMNS)
LINE = "eu-north-1,ml.m5.xlarge,training,0.5,2026-01-31"


def write(folder: Path, *lines: str) -> Path:
    path = folder / "prices.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_default_machines_have_a_price_in_the_regions_of_the_table() -> None:
    prices, settings = read_prices(), SageMakerSettings()
    for region in ("us-east-1", "us-west-2"):
        assert prices.find(region, "training", settings.train_instance_type)
        assert prices.find(region, "transform", settings.transform_instance_type)
    assert resources.files("salescast.forecaster.sagemaker").joinpath("prices.csv").is_file()


def test_a_job_costs_its_machines_for_its_seconds() -> None:
    prices = read_prices()
    assert prices.cost_usd("us-east-1", "training", "ml.m5.xlarge", 1, 3600) == pytest.approx(0.23)
    assert prices.cost_usd("us-east-1", "transform", "ml.m5.xlarge", 3, 600) == pytest.approx(0.115)


@pytest.mark.parametrize(
    ("region", "use", "instance_type"),
    [
        ("mars-1", "training", "ml.m5.xlarge"),
        ("us-east-1", "training", "ml.z9.xlarge"),
        ("us-east-1", "transform", "ml.g5.xlarge"),
    ],
)
def test_what_the_table_does_not_have_is_never_guessed(
    region: str, use: str, instance_type: str
) -> None:
    prices = read_prices()
    assert prices.find(region, use, instance_type) is None  # type: ignore[arg-type]
    assert prices.cost_usd(region, use, instance_type, 1, 60) is None  # type: ignore[arg-type]


def test_a_users_own_table_takes_the_place_of_ours(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "as_of, use,region,usd_per_hour,instance_type",
        "2026-01-31,training, eu-north-1,0.5 ,ml.m5.xlarge",
        "",
    )
    prices = read_prices(path)
    price = prices.find("eu-north-1", "training", "ml.m5.xlarge")
    assert price is not None
    assert (price.usd_per_hour, price.as_of) == (0.5, date(2026, 1, 31))
    assert prices.find("us-east-1", "training", "ml.m5.xlarge") is None
    assert prices.source == path


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ((), 1, "The columns are none"),
        (("region,price",), 1, "The columns are region, price"),
        ((HEADER, LINE, LINE), 3, "has a price already"),
        ((HEADER, LINE.replace("training", "hosting")), 2, "The use 'hosting' is not known"),
        ((HEADER, LINE.replace("0.5", "cheap")), 2, "'cheap' is no price"),
        ((HEADER, LINE.replace("0.5", "nan")), 2, "'nan' is no price"),
        ((HEADER, LINE.replace("0.5", "-1")), 2, "'-1' is no price"),
        ((HEADER, LINE.replace("2026-01-31", "January")), 2, "'January' is no day"),
        ((HEADER, LINE.replace("0.5", "")), 2, "A value is missing"),
        ((HEADER, LINE + ",more"), 2, "one too many"),
        ((HEADER, "eu-north-1,ml.m5.xlarge"), 2, "A value is missing"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(
    tmp_path: Path, lines: tuple[str, ...], line: int, message: str
) -> None:
    path = write(tmp_path, *lines)
    with pytest.raises(UserError, match=message) as caught:
        read_prices(path)
    assert caught.value.where == f"{path}, line {line}"
    assert caught.value.fix


def test_a_table_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there") as caught:
        read_prices(tmp_path / "none.csv")
    assert "SALESCAST_SAGEMAKER_PRICES" in str(caught.value)
    (tmp_path / "latin.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        read_prices(tmp_path / "latin.csv")
