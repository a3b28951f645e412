"""The command: `python -m local_aws up | down | status | env | logs`."""

from __future__ import annotations

import shlex
import signal
import subprocess
from pathlib import Path

import click

from local_aws.artifacts import StackError
from local_aws.stack import PROCESSES, SERVICES, Stack, default_home


class _Commands(click.Group):
    """Turns a StackError into a message and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except StackError as error:
            raise click.ClickException(str(error)) from error


_home = click.option(
    "--home",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    default=default_home,
    help="Folder of the stack; default LOCAL_AWS_HOME, or one in the cache.",
)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='\b\nExample:\n  python -m local_aws up\n  eval "$(python -m local_aws env)"',
)
def main() -> None:
    """A local AWS: Athena on Trino, Glue, S3, STS, and a SageMaker that trains DeepAR."""


def _services(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, ...]:
    """`a,b` as names."""
    names = tuple(value.split(",")) if value is not None else tuple(SERVICES)
    if unknown := set(names) - set(SERVICES):
        raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(sorted(SERVICES))}.")
    return names


@main.command(epilog="\b\nExample:\n  python -m local_aws up --services sagemaker")
@click.option(
    "--services",
    callback=_services,
    metavar="A,B",
    help="Of athena and sagemaker, those to start; default both. S3 is there anyway.",
)
@_home
def up(services: tuple[str, ...], home: Path) -> None:
    """Start it and wait until it answers; fetches Trino (800 MB) the first time."""
    stack = Stack(home)
    if stack.runs and set(services) - set(stack.services):
        raise StackError(
            f"It is running already, in {home}, for {', '.join(stack.services)} only. Take it "
            "down first, or name another --home."
        )
    if stack.runs:
        click.echo(f"It is running already, in {home}.")
        return
    # Ends like Ctrl-C does: what was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seconds = stack.start(lambda text: click.echo(text, err=True), services=services)
    click.echo(f"Ready after {seconds:.0f} s. Point a shell at it:")
    other = "" if home == default_home() else f" --home {shlex.quote(str(home))}"
    click.echo(f'  eval "$(python -m local_aws env{other})"')


@main.command(epilog="\b\nExample:\n  python -m local_aws down")
@_home
def down(home: Path) -> None:
    """Stop it; what it held in S3, Glue and SageMaker is gone."""
    stack = Stack(home)
    was_there = bool(stack.processes)
    stack.stop()
    click.echo("Stopped." if was_there else f"Nothing is running in {home}.")


@main.command(epilog="\b\nExample:\n  python -m local_aws status")
@_home
def status(home: Path) -> None:
    """Show the processes with port and memory; exit code 1 unless all run."""
    stack = Stack(home)
    for name, process in stack.processes.items():
        state = "runs" if process.runs() else "ended: see `logs`"
        click.echo(
            f"{name:10} {state:6} pid {process.pid:<8} 127.0.0.1:{process.port:<6} "
            f"{process.memory() / 1e6:6.0f} MB"
        )
    if not stack.runs:
        raise StackError(f"The stack in {home} is not running.")


@main.command(epilog='\b\nExample:\n  eval "$(python -m local_aws env)"')
@_home
def env(home: Path) -> None:
    """Print what a shell exports to point boto3 and dbt-athena at it."""
    for name, value in Stack(home).environment.items():
        click.echo(f"export {name}={value}")


@main.command(epilog="\b\nExample:\n  python -m local_aws logs gateway --follow")
@click.argument("name", type=click.Choice(PROCESSES))
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
@_home
def logs(name: str, follow: bool, home: Path) -> None:
    """Show the end of a process's log."""
    log = Stack(home).log(name)
    if not log.is_file():
        raise StackError(f"There is no log yet: {log}")
    subprocess.run(["tail", "-n", "50", *(["-f"] if follow else []), str(log)])


if __name__ == "__main__":
    main(prog_name="python -m local_aws")
