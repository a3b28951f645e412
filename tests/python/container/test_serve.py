"""The image's entry points as processes on an /opt/ml tree; the server over real HTTP."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from salescast.container.errors import ContractError
from salescast.container.serve import ServerSettings

from .conftest import SETTINGS, Container
from .lines import Lines, make_lines, write_lines

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[3]
ENTRY_POINTS = ROOT / "deploy" / "image" / "bin"
JSON, JSON_LINES = "application/json", "application/jsonlines"
CONFIG = {"num_samples": 20, "output_types": ["mean", "quantiles"], "quantiles": ["0.1", "0.9"]}


def _inference_lines(n_series: int = 12) -> Lines:
    lines = make_lines(n_series=n_series, future=3)
    return [{"item_id": f"7:{number}", **line} for number, line in enumerate(lines)]


def _body(lines: Lines) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _environment(tree: Path, **variables: str) -> dict[str, str]:
    """What the entry points see in the image: `python` first on PATH, the program importable."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return os.environ | {
        "PATH": path,
        "PYTHONPATH": str(ROOT / "python"),
        "SAGEMAKER_BASE_DIR": str(tree),
        "DEEPAR_NUM_THREADS": "1",
        **variables,
    }


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]
    tree: Path

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers["Content-Type"], reply.read())
        finally:
            connection.close()

    def invoke(self, body: bytes, content_type: str = JSON_LINES, **headers: str) -> Answer:
        return self.ask("POST", "/invocations", body, Content_Type=content_type, **headers)


def _free_port() -> int:
    """A port that no connection gets for its own end until the server listens."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port
    raise AssertionError("no port is free")


@contextmanager
def _serving(tree: Path, **variables: str) -> Iterator[Server]:
    """`serve`, once it answers `/ping`; killed after the block."""
    port = _free_port()
    environment = _environment(tree, SAGEMAKER_BIND_TO_PORT=str(port), **variables)
    process = subprocess.Popen([ENTRY_POINTS / "serve"], env=environment)
    try:
        server = Server(port, process, tree)
        deadline = time.monotonic() + 120
        while not _answers(server):
            assert process.poll() is None, "serve has ended"
            assert time.monotonic() < deadline, "serve does not answer"
            time.sleep(0.1)
        yield server
    finally:
        process.kill()
        process.wait()


def _answers(server: Server) -> bool:
    try:
        return server.ask("GET", "/ping").status == 200
    except ConnectionError:
        return False


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An /opt/ml tree whose model the entry point `train` has made."""
    root = tmp_path_factory.mktemp("serve") / "ml"
    config = root / "input" / "config" / "hyperparameters.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps(SETTINGS), encoding="utf-8")
    write_lines(root / "input" / "data" / "train" / "part.json", make_lines())
    subprocess.run([ENTRY_POINTS / "train"], env=_environment(root), check=True, timeout=300)
    return root


@pytest.fixture(scope="module")
def server(tree: Path) -> Iterator[Server]:
    with _serving(
        tree,
        DEEPAR_INFERENCE_CONFIG=json.dumps(CONFIG),
        SAGEMAKER_MAX_PAYLOAD_IN_MB="1",
        MODEL_SERVER_WORKERS="2",
    ) as started:
        yield started


def test_a_ready_server_answers_ping(server: Server) -> None:
    assert server.ask("GET", "/ping") == Answer(200, "text/plain; charset=utf-8", b"")


def test_the_platform_is_told_how_to_send_records(server: Server) -> None:
    answer = server.ask("GET", "/execution-parameters")
    assert answer.content_type == JSON
    assert answer.json() == {
        "MaxConcurrentTransforms": 2,
        "BatchStrategy": "SINGLE_RECORD",
        "MaxPayloadInMB": 1,
    }


def test_lines_sent_one_by_one_give_the_bytes_that_transform_writes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = Container(server.tree, monkeypatch)
    lines = _inference_lines()
    assert container.transform(lines, **CONFIG) == 0
    with ThreadPoolExecutor(4) as senders:
        answers = list(senders.map(lambda line: server.invoke(_body([line])), lines))
    assert {(answer.status, answer.content_type) for answer in answers} == {(200, JSON_LINES)}
    assert b"".join(answer.body for answer in answers) == container.output.read_bytes()


def test_an_answer_does_not_depend_on_the_other_records(server: Server) -> None:
    lines = _inference_lines()
    alone = [server.invoke(_body([line])).body for line in lines]
    together = server.invoke(_body(lines))
    assert together.body == b"".join(alone)
    backwards = server.invoke(_body(lines[::-1]))
    assert backwards.body == b"".join(alone[::-1])


def test_a_request_of_instances_is_answered_with_predictions(server: Server) -> None:
    lines = _inference_lines(3)
    configuration = {"num_samples": 7, "output_types": ["samples"]}
    body = json.dumps({"instances": lines, "configuration": configuration}).encode()
    answer = server.invoke(body, JSON)
    assert (answer.status, answer.content_type) == (200, JSON)
    predictions = answer.json()["predictions"]
    assert [list(prediction) for prediction in predictions] == [["samples"]] * 3
    assert all(len(prediction["samples"]) == 7 for prediction in predictions)


def test_instances_without_configuration_give_what_lines_give(server: Server) -> None:
    lines = _inference_lines(2)
    by_line = [json.loads(line) for line in server.invoke(_body(lines)).text.splitlines()]
    assert list(by_line[0]["quantiles"]) == CONFIG["quantiles"]
    answer = server.invoke(json.dumps({"instances": lines}).encode(), JSON)
    assert answer.json() == {"predictions": by_line}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (JSON, JSON),
        (JSON_LINES, JSON_LINES),
        ("*/*", JSON_LINES),
        ("text/csv, application/JSON;q=0.5", JSON),
    ],
)
def test_accept_decides_the_form_of_the_answer(
    server: Server, accept: str, content_type: str
) -> None:
    answer = server.invoke(_body(_inference_lines(2)), Accept=accept)
    assert (answer.status, answer.content_type) == (200, content_type)
    if content_type == JSON:
        assert len(answer.json()["predictions"]) == 2
    else:
        assert len(answer.body.splitlines()) == 2


def test_an_answer_that_cannot_be_accepted_is_refused(server: Server) -> None:
    answer = server.invoke(_body(_inference_lines(1)), Accept="text/csv")
    assert answer.status == 406
    assert "text/csv" in answer.text


@pytest.mark.parametrize("content_type", ["text/csv", "application/octet-stream", ""])
def test_other_content_types_are_415(server: Server, content_type: str) -> None:
    answer = server.invoke(_body(_inference_lines(1)), content_type)
    assert answer.status == 415
    assert JSON_LINES in answer.text


def test_parameters_of_a_content_type_are_taken(server: Server) -> None:
    answer = server.invoke(_body(_inference_lines(1)), f"{JSON_LINES}; charset=utf-8")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        (JSON_LINES, b'{"start": "2024-01-05", "target": [NaN]}\n', "line 1: Error when parsing"),
        (JSON_LINES, b'{"start": "2024-01-05"}\n', "line 1: target is missing"),
        (JSON_LINES, b'{"start": "2024-01-06", "target": [1]}\n', "line 1: cat has 0 values"),
        (JSON_LINES, b"\n", "line 1: Error when parsing json"),
        (JSON, b"[]", "request: must be a JSON object"),
        (JSON, b'{"instances": {}}', "instances must be an array"),
        (JSON, b'{"instances": [3]}', "instances[0]: must be a JSON object"),
        (JSON, b'{"instances": [], "config": {}}', "unexpected field config"),
        (JSON, b'{"instances": [], "\\ud800": {}}', "unexpected field \\ud800"),
        (JSON, b'{"instances": [], "configuration": []}', "configuration must be a JSON object"),
        (JSON, b'{"instances": [], "configuration": {"num_samples": 0}}', "num_samples must be"),
    ],
)
def test_bad_input_is_400_with_its_reason(
    server: Server, content_type: str, body: bytes, words: str
) -> None:
    answer = server.invoke(body, content_type)
    assert answer.status == 400
    assert words in answer.text


def test_one_bad_line_refuses_the_request_and_leaves_the_server_up(server: Server) -> None:
    lines = _inference_lines(3)
    lines[1]["cat"] = [0, 99]
    answer = server.invoke(_body(lines))
    assert (answer.status, answer.text) == (400, "line 2: cat[1] is 99, the model knows 0..5\n")
    assert server.invoke(_body(_inference_lines(1))).status == 200


def test_a_body_up_to_the_limit_is_taken_and_no_more(server: Server) -> None:
    line = _body(_inference_lines(1)).rstrip(b"\n")
    limit = 1024 * 1024
    assert server.invoke(line.ljust(limit)).status == 200
    # Only its length is sent: the server refuses by that and reads no further.
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.putrequest("POST", "/invocations")
    connection.putheader("Content-Type", JSON_LINES)
    connection.putheader("Content-Length", str(limit + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/invocations", 405), ("POST", "/ping", 405), ("GET", "/", 404)],
)
def test_other_requests_are_refused(server: Server, method: str, path: str, status: int) -> None:
    assert server.ask(method, path).status == status


def test_sigterm_ends_the_server_cleanly(tree: Path) -> None:
    with _serving(tree) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
    assert not (tree / "output" / "failure").exists()


def test_a_server_without_a_model_ends_with_the_reason(tmp_path: Path) -> None:
    ended = subprocess.run(
        [ENTRY_POINTS / "serve"],
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 1
    assert "ClientError: model: not a model of this program" in ended.stderr


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SAGEMAKER_BIND_TO_PORT": "9000"}, ("port", 9000)),
        ({"MODEL_SERVER_WORKERS": "3"}, ("workers", 3)),
        ({"SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "4"}, ("workers", 4)),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "100"}, ("workers", 1)),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": ""}, ("max_payload_mb", 6)),
    ],
)
def test_settings_come_from_the_platform(
    variables: dict[str, str], expected: tuple[str, int]
) -> None:
    name, value = expected
    assert getattr(ServerSettings.from_environment(variables), name) == value


@pytest.mark.parametrize(
    "variables",
    [
        {"SAGEMAKER_BIND_TO_PORT": "70000"},
        {"MODEL_SERVER_WORKERS": "two"},
        {"SAGEMAKER_MAX_PAYLOAD_IN_MB": "101"},
        {"SAGEMAKER_MAX_PAYLOAD_IN_MB": "50", "MODEL_SERVER_WORKERS": "3"},
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(variables: dict[str, str]) -> None:
    with pytest.raises(ContractError, match=list(variables)[-1]):
        ServerSettings.from_environment(variables)


def test_a_series_without_an_observation_is_answered_from_its_categories(server: Server) -> None:
    line = {"start": "2024-10-11", "cat": [0, 5], "dynamic_feat": [[0.1, 0.2, 0.3]], "target": []}
    answer = server.invoke(json.dumps({"instances": [line, *_inference_lines(2)]}).encode(), JSON)
    assert answer.status == 200
    assert len(answer.json()["predictions"]) == 3
    assert len(answer.json()["predictions"][0]["mean"]) == 3
