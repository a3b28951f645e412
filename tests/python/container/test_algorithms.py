"""An algorithm is a module below `algorithms`; nothing else needs to know it."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from salescast.container import algorithms
from salescast.container.algorithm import algorithm_names, find_algorithm
from salescast.container.errors import ContractError
from salescast.container.inference import InferenceConfig
from salescast.container.predictor import load_predictor
from salescast.container.serve import ServerSettings, Service

from .conftest import Container
from .lines import make_lines

FOLDER = Path(algorithms.__file__).parents[1]
OWN = "salescast.container"

LAST_VALUE = """
import json
from dataclasses import asdict, dataclass

import numpy as np

from salescast.container.algorithm import Forecast, ModelInputs
from salescast.container.hyperparameters import DATA_HYPERPARAMETERS, read_texts


@dataclass(frozen=True)
class Settings:
    time_freq: str
    prediction_length: int
    cardinality: object
    num_dynamic_feat: object
    num_eval_samples: int
    test_quantiles: tuple


@dataclass(frozen=True)
class LastValueModel:
    inputs: ModelInputs


class LastValue:
    def read_hyperparameters(self, texts):
        return Settings(**read_texts(texts, DATA_HYPERPARAMETERS, "last_value"))

    def use_threads(self, n_threads):
        assert n_threads == 1

    def fit(self, records, hyperparameters, summary):
        return LastValueModel(
            ModelInputs(
                prediction_length=hyperparameters.prediction_length,
                time_freq=hyperparameters.time_freq,
                cardinality=None,
                num_dynamic_feat=None,
                weekday=summary.weekday,
            )
        )

    def forecast(self, model, records, config):
        for record in records:
            last = record.target[~np.isnan(record.target)][-1]
            mean = np.full(model.inputs.prediction_length, last)
            yield Forecast(mean, np.stack([mean] * len(config.quantiles)))

    def save(self, model, folder):
        folder.mkdir(exist_ok=True)
        (folder / "last_value.json").write_text(json.dumps(asdict(model.inputs)))

    def load(self, folder):
        return LastValueModel(ModelInputs(**json.loads((folder / "last_value.json").read_bytes())))


ALGORITHM = LastValue()
"""


@pytest.fixture
def last_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an algorithm that is one more module of the package."""
    folder = tmp_path / "more_algorithms"
    folder.mkdir()
    (folder / "last_value.py").write_text(LAST_VALUE, encoding="utf-8")
    monkeypatch.setattr(algorithms, "__path__", [*algorithms.__path__, str(folder)])
    yield "last_value"
    sys.modules.pop(f"{algorithms.__name__}.last_value", None)


def _train(container: Container, **settings: str) -> int:
    """Train with no more than what every algorithm takes."""
    of_deepar = "context_length", "epochs", "mini_batch_size", "num_cells", "num_batches_per_epoch"
    none = dict.fromkeys((*of_deepar, "lags"))
    return container.train(make_lines(), test=make_lines(), **{**none, **settings})


def test_an_algorithm_goes_the_whole_way(
    container: Container, last_value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(container, algorithm=last_value) == 0, container.failure
    log = capsys.readouterr().out
    assert "number of time series: 12" in log
    assert "#quality_metric: host=algo-1, test mean_wQuantileLoss <loss>=" in log
    model = container.root / "model"
    assert {path.name for path in model.iterdir()} == {"algorithm.json", "last_value.json"}
    assert json.loads((model / "algorithm.json").read_bytes()) == {"algorithm": "last_value"}

    lines = make_lines(future=3)
    assert container.transform(lines, quantiles=["0.1", "0.9"]) == 0, container.failure
    expected = [[line["target"][-1]] * 3 for line in lines]
    assert [answer["mean"] for answer in container.answers()] == expected
    assert container.answers()[0]["quantiles"] == {"0.1": expected[0], "0.9": expected[0]}


def test_the_server_answers_with_the_algorithm_of_the_model(
    container: Container, last_value: str
) -> None:
    assert _train(container, algorithm=last_value) == 0, container.failure
    predictor = load_predictor(container.root / "model", n_threads=1)
    service = Service(predictor, InferenceConfig(), ServerSettings())
    line = make_lines(future=3)[2]

    def ask(configuration: dict[str, object]) -> tuple[str, bytes]:
        body = json.dumps({"instances": [line], "configuration": configuration}).encode()
        statuses: list[str] = []
        answer = service(
            {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": "/invocations",
                "CONTENT_TYPE": "application/json",
                "wsgi.input": io.BytesIO(body),
            },
            lambda status, headers: statuses.append(status),
        )
        return statuses[0], b"".join(answer)

    status, body = ask({"output_types": ["mean"]})
    assert status == "200 OK"
    assert json.loads(body) == {"predictions": [{"mean": [line["target"][-1]] * 3}]}
    status, body = ask({"output_types": ["samples"]})
    assert status == "400 Bad Request"
    assert body == b"output_types: the model's algorithm makes no samples\n"


def test_an_unknown_hyperparameter_is_refused_in_the_algorithm_s_name(
    container: Container, last_value: str
) -> None:
    assert _train(container, algorithm=last_value, epochs="2") == 1
    assert "epochs is not a hyperparameter of last_value" in container.failure


@pytest.mark.parametrize("name", ["nothing", "os", "..predictor", "deepar.fit", "", "DeepAR"])
def test_only_names_of_the_package_are_imported(name: str) -> None:
    with pytest.raises(ContractError, match="algorithm must be one of deepar"):
        find_algorithm(name)


@pytest.mark.parametrize("text", ["{}", '{"algorithm": "os"}', '{"algorithm": ["deepar"]}', "["])
def test_a_model_of_an_unknown_algorithm_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "algorithm.json").write_text(text)
    with pytest.raises(ContractError, match="algorithm"):
        load_predictor(tmp_path)


def test_a_job_that_names_deepar_leaves_the_files_of_one_that_names_nothing(
    container: Container, last_value: str
) -> None:
    assert _train(container, algorithm=last_value) == 0, container.failure
    assert container.train(make_lines(), algorithm="deepar", epochs="1") == 0, container.failure
    assert not (container.root / "model" / "algorithm.json").exists()
    assert container.transform(make_lines(future=3), num_samples=5) == 0, container.failure


def test_each_algorithm_can_be_found() -> None:
    names = algorithm_names()
    assert "deepar" in names
    for name in names:
        assert hasattr(find_algorithm(name), "fit")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            # `from salescast import x` imports the submodule x as well.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_container_imports_nothing_else_of_salescast() -> None:
    files = list(FOLDER.rglob("*.py"))
    assert len(files) > 15
    for path in files:
        for name in _imports(path):
            is_own = name == OWN or name.startswith(f"{OWN}.")
            assert is_own or name.split(".")[0] not in ("salescast", "local_aws"), (path, name)


def test_the_contract_knows_no_algorithm() -> None:
    """Only the folder of an algorithm names it, its modules or its libraries."""
    for path in FOLDER.glob("*.py"):
        for name in _imports(path):
            assert name.split(".")[0] not in ("torch", "gluonts"), path
            assert not name.startswith(f"{algorithms.__name__}."), (path, name)


def test_help_of_the_former_name_is_that_of_the_container() -> None:
    helps = [
        subprocess.run(
            [sys.executable, "-m", module, "--help"], capture_output=True, text=True, timeout=240
        )
        for module in ("salescast.deepar", OWN)
    ]
    assert helps[0].returncode == 0, helps[0].stderr
    assert helps[0].stdout == helps[1].stdout
