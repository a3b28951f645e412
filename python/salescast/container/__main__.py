"""Command line of the container: `python -m salescast.container train | transform | serve`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from salescast.container.errors import ContractError
from salescast.container.inference import parse_inference_config
from salescast.container.paths import ContainerPaths, write_failure

THREADS_VARIABLE = "DEEPAR_NUM_THREADS"

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a failure is written to output/failure and answered with 1."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    # Advice of torch to GluonTS's authors, of no use in a job's log.
    warnings.filterwarnings("ignore", module="gluonts")
    paths = ContainerPaths.from_environment()
    try:
        options.run(paths, options, _n_threads())
    except ContractError as error:
        print(write_failure(paths.failure, "ClientError", str(error)), file=sys.stderr)
        return 1
    except Exception as error:
        logger.exception("unexpected failure")
        reason = f"{type(error).__name__}: {error}"
        print(write_failure(paths.failure, "AlgorithmError", reason), file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m salescast.container",
        description="DeepAR and other algorithms under SageMaker's container contract.",
        epilog=(
            "SAGEMAKER_BASE_DIR names the tree (default /opt/ml), "
            f"{THREADS_VARIABLE} the threads (default all cores), "
            "DEEPAR_INFERENCE_CONFIG what a forecast holds."
        ),
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    training = commands.add_parser("train", help="train on the job's channels")
    training.set_defaults(run=_train)
    transform = commands.add_parser(
        "transform",
        help="forecast each line of a file",
        epilog="example: transform --input in.json --output out/in.json.out --join item_id",
    )
    transform.add_argument("--input", type=Path, required=True, help="JSON lines to forecast")
    transform.add_argument("--output", type=Path, required=True, help="JSON lines to write")
    transform.add_argument("--join", metavar="FIELD", help="field that each output line repeats")
    transform.set_defaults(run=_transform)
    serving = commands.add_parser(
        "serve",
        help="answer SageMaker's requests over HTTP until SIGTERM",
        epilog="SAGEMAKER_BIND_TO_PORT names the port (default 8080), "
        "MODEL_SERVER_WORKERS the requests forecast at once (default one a core).",
    )
    serving.set_defaults(run=_serve)
    return parser


# Libraries take seconds to import: help and wrong use should not wait for them.
def _train(paths: ContainerPaths, options: argparse.Namespace, n_threads: int | None) -> None:
    from salescast.container.train import train

    train(paths, n_threads)


def _transform(paths: ContainerPaths, options: argparse.Namespace, n_threads: int | None) -> None:
    config = parse_inference_config(os.environ.get("DEEPAR_INFERENCE_CONFIG"))
    from salescast.container.transform import transform

    transform(paths, options.input, options.output, config, options.join, n_threads)


def _serve(paths: ContainerPaths, options: argparse.Namespace, n_threads: int | None) -> None:
    config = parse_inference_config(os.environ.get("DEEPAR_INFERENCE_CONFIG"))
    from salescast.container.serve import ServerSettings, serve

    serve(paths, config, ServerSettings.from_environment(os.environ), n_threads)


def _n_threads() -> int | None:
    text = os.environ.get(THREADS_VARIABLE)
    if text is None:
        return None
    if not text.isdigit() or int(text) < 1:
        raise ContractError(f"{THREADS_VARIABLE} must be an integer >= 1, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
