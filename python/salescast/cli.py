"""Options and printing of the commands; what they do is in `commands`.

Heavy modules are imported where they are used, so that `--help` is quick.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import click

from salescast import __version__, commands, failures
from salescast.errors import SalescastError, UserError
from salescast.printable import printable

if TYPE_CHECKING:
    from salescast.marts.reader import Accuracy
    from salescast.prune import Removal
    from salescast.settings import Settings
    from salescast.week.champion import Champion
    from salescast.week.estimate import Estimate
    from salescast.week.plan import Asked

_STATE_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "not checked": "blue"}


class _Commands(click.Group):
    """The group of commands; turns errors into a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SalescastError as error:
            told = failures.with_way_on(error, ctx.invoked_subcommand)
            _echo(f"Error: {told}", err=True)
            ctx.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort) as error:
            # What goes on elsewhere, or was half done, tells so itself.
            left = str(error) or failures.stopped(ctx.invoked_subcommand)
            _echo(f"Stopped. {left}".rstrip(), err=True)
            ctx.exit(1)
        except click.ClickException as error:
            message = error.format_message()
            if message == printable(message):
                raise
            raise click.UsageError(printable(message), ctx) from error
        except (click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if (found := failures.told(error, ctx.invoked_subcommand)) is not None:
                _echo(f"Error: {found}", err=True)
                ctx.exit(found.exit_code)
            _echo(f"Error: unexpected {type(error).__name__}: {error}", err=True)
            _echo(f"  where: {failures.keep_traceback(error)}", err=True)
            ctx.exit(1)


def _echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print what may hold text of files and people; see `printable`."""
    click.echo(printable(text), err=err, nl=nl)


def _example(text: str) -> str:
    return f"\b\nExample:\n  {text}"


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_example("salescast demo"),
)
@click.version_option(__version__)
def cli() -> None:
    """Weekly store sales forecasts from a dbt warehouse and DeepAR.

    Everything is kept in one home folder: SALESCAST_HOME, default ./var.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the command `salescast`."""
    # A stop from outside runs the same clean-up as Ctrl-C, so that no child outlives the command.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cli.main(args=None if arguments is None else list(arguments), prog_name="salescast")
    raise SystemExit(0)


_target_option = click.option(
    "--target",
    type=click.Choice(["dev", "athena"]),
    help="Warehouse to work on; default SALESCAST_TARGET, or dev.",
)
_take_lock_option = click.option(
    "--take-lock",
    is_flag=True,
    help="Break the lock that another machine holds on a lake on S3.",
)
_stop_jobs_option = click.option(
    "--stop-jobs/--leave-jobs",
    default=None,
    help="At Ctrl-C stop SageMaker's job too, or let it go on; default: ask at a terminal, "
    "otherwise let it go on.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
_batch_option = click.option(
    "--batch", "batch_id", metavar="ID", help="Batch to work on; default the newest one."
)
_horizon_option = click.option(
    "--horizon",
    type=int,
    metavar="N",
    help="Weeks to forecast; default the dbt var prediction_length.",
)
_model_option = click.option(
    "--model",
    "model_names",
    multiple=True,
    metavar="ID",
    help="Model of models.toml, or champion; may be given again. Default blend; snaive_52 is "
    "always made.",
)
_dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Tell what it would start, send and cost; start nothing."
)


@cli.command(epilog=_example("salescast init shop"))
@click.argument("folder", type=click.Path(path_type=Path))
@_json_option
def init(folder: Path, as_json: bool) -> None:
    """Write the dbt project into a new FOLDER, to edit and to work in."""
    from salescast.init_project import init_project

    new = init_project(folder)
    if as_json:
        _print_json({"folder": str(new.folder), "n_files": new.n_files})
    else:
        _echo(f"{new.n_files} files in {new.folder}; what to edit: its README.md")
        _echo(f"Next: cd {folder} && salescast simulate var/demo")


@cli.command(epilog=_example("salescast simulate var/demo --stores 12 --departments 12"))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--stores", type=int, default=12, show_default=True, help="Number of stores.")
@click.option(
    "--departments", type=int, default=12, show_default=True, help="Departments of a store."
)
@click.option("--weeks", type=int, default=160, show_default=True, help="Weeks of sales.")
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of all randomness.")
@click.option(
    "--grain",
    type=click.Choice(["daily", "weekly"]),
    default="daily",
    show_default=True,
    help="One row a day or a week.",
)
@_json_option
def simulate(
    out: Path,
    stores: int,
    departments: int,
    weeks: int,
    seed: int,
    grain: Any,
    as_json: bool,
) -> None:
    """Write a made-up chain's files into the folder OUT, to try things out."""
    from salescast.simulate import simulate as write

    summary = write(
        out, stores=stores, departments=departments, weeks=weeks, seed=seed, grain=grain
    )
    if as_json:
        _print_json(
            {
                "folder": str(summary.folder),
                "files": [str(path) for path in summary.files],
                "first_date": summary.first_date.isoformat(),
                "end_date": summary.end_date.isoformat(),
                "n_series": summary.n_series,
                "n_rows": summary.n_rows,
            }
        )
        return
    _echo(
        f"{summary.n_rows:,} rows of {summary.n_series:,} series, {summary.first_date} to "
        f"{summary.end_date}, in {summary.folder}"
    )
    _echo(f"Next: salescast ingest {out} --mapping demo")


@cli.command(
    "map",
    epilog="\b\nExamples:\n  salescast map export.csv\n"
    "  salescast map data/shop --out mappings/shop.yml",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, such as mappings/shop.yml; default the screen.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@_json_option
def draft_mapping(files: tuple[Path, ...], out: Path | None, force: bool, as_json: bool) -> None:
    """Look at FILES (or a folder) of one source and write a mapping for them, to edit.

    Above each key stands what was seen. Lines with CHECK say what the files do not tell: look at
    them before you ingest.
    """
    from salescast.console import ConsoleProgress

    with ConsoleProgress() as progress:
        draft = commands.draft_mapping(_settings(), files, out, force=force, progress=progress)
    if as_json:
        _print_json(
            {
                "name": draft.name,
                "mapping": draft.text,
                "file": str(out) if out else None,
                "files": draft.files,
                "left": dict(draft.left),
                "checks": list(draft.checks),
            }
        )
    elif out is None:
        # In a pipe or a file it is the mapping, which is not changed.
        click.echo(printable(draft.text) if sys.stdout.isatty() else draft.text, nl=False)
    else:
        lines = "1 line" if len(draft.checks) == 1 else f"{len(draft.checks)} lines"
        _echo(f"Written: {out}, with {lines} to check:")
        for check in draft.checks:
            _echo(f"  {check}")
        folder, written = shlex.quote(str(draft.folder)), shlex.quote(str(out))
        _echo(f"Next: look at them, then salescast ingest {folder} --mapping {written}")


@cli.command(
    epilog="\b\nExamples:\n  salescast ingest data/walmart --mapping walmart --check\n"
    "  salescast ingest data/walmart --mapping walmart\n"
    '  salescast ingest --retract 20261122t131415000000-ab12 --reason "wrong file"'
)
@click.argument("source", required=False, type=click.Path(path_type=Path))
@click.option(
    "--mapping",
    "mapping_name",
    metavar="NAME",
    help="Name in mappings/, or a path; default retail (the canonical column names).",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Do all but land: counts, dates, sums by store and month, what is set aside and why.",
)
@click.option("--yes", is_flag=True, help="Answer questions about the delivery with yes.")
@click.option(
    "--retract",
    "load_id",
    metavar="ID",
    help="Take back a load or a delivery instead of landing.",
)
@click.option("--reason", help="Why a load is taken back.")
@_target_option
@_take_lock_option
@_json_option
def ingest(
    source: Path | None,
    mapping_name: str | None,
    only_check: bool,
    yes: bool,
    load_id: str | None,
    reason: str | None,
    target: str | None,
    take_lock: bool,
    as_json: bool,
) -> None:
    """Land the files of a folder (or one file) as one delivery, as a mapping describes them."""
    if (source is None) == (load_id is None):
        raise UserError(
            "Give either a folder to land or --retract with a load.",
            where="salescast ingest",
            fix="See salescast ingest --help.",
        )
    settings = _settings(target)
    if load_id is not None:
        if mapping_name is not None or only_check:
            option = "--check" if only_check else "--mapping"
            raise UserError(f"--retract takes no {option}.", where="salescast ingest")
        done = commands.retract(settings, load_id, reason, take_lock=take_lock)
        if as_json:
            _print_json({"retracted": load_id, "loads": done.loads, "runs": done.runs})
            return
        for each in done.loads:
            _echo(f"Load {each} is taken back.")
        if done.runs:
            shown, more = ", ".join(done.runs[:6]), len(done.runs) - 6
            _echo(
                f"Runs that landed while it counted stay in charts and accuracy: {shown}"
                f"{f' and {more} more' if more > 0 else ''}. Take back those that are wrong: "
                "salescast withdraw RUN_ID --reason TEXT"
            )
        _echo("Next: salescast run")
        return

    assert source is not None
    from salescast.console import ConsoleProgress

    with ConsoleProgress() as progress:
        if only_check:
            checked = commands.check(settings, source, mapping_name or "retail", progress=progress)
            _print_check(checked, as_json)
            return
        result = commands.ingest(
            settings,
            source,
            mapping_name or "retail",
            yes=yes,
            take_lock=take_lock,
            progress=progress,
        )
    if as_json:
        _print_json(asdict(result))


def _print_check(checked: commands.Checked, as_json: bool) -> None:
    if as_json:
        _print_json(asdict(checked))
        return
    from salescast.console import DASH, print_table

    result = checked.result
    rows = [
        (table, status if reason is None else f"{status}: {reason}", f"{n:,}", example or DASH)
        for table, status, reason, n, example in checked.statuses
    ]
    if rows:
        print_table("What becomes of the rows", ["table", "rows are", "rows", "example"], rows)
    months = [
        (store, f"{month:%Y-%m}", f"{n:,}", f"{total:,.2f}")
        for store, month, n, total in checked.months
    ]
    if months:
        print_table("Sales that count", ["store", "month", "rows", "sum of sales"], months)
    for warning in result.warnings:
        _echo(f"warning: {warning}")
    for n, question in enumerate(result.questions, start=1):
        _echo(f"question {n}: {question}")
    if checked.problem:
        _echo(f"a build would stop: {checked.problem}")
    _echo("Nothing was landed.")


@cli.command(
    epilog="\b\nExamples:\n  salescast run\n"
    "  salescast run --cutoff 2026-10-31 --horizon 13 --backtests 2\n"
    "  salescast run --model champion --dry-run\n  salescast run --resume"
)
@click.option(
    "--cutoff",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Last week to show the models; default the newest complete week.",
)
@_horizon_option
@_model_option
@click.option(
    "--backtests",
    type=int,
    default=0,
    metavar="N",
    help="Further windows to forecast, each a horizon before the last.",
)
@click.option("--resume", is_flag=True, help="Go on with the newest batch where it stopped.")
@click.option("--trained-model", metavar="ID", help="Forecast with a model that is trained.")
@_dry_run_option
@_target_option
@_take_lock_option
@_stop_jobs_option
@_json_option
def run(
    cutoff: datetime | None,
    horizon: int | None,
    model_names: tuple[str, ...],
    backtests: int,
    resume: bool,
    trained_model: str | None,
    dry_run: bool,
    target: str | None,
    take_lock: bool,
    stop_jobs: bool | None,
    as_json: bool,
) -> None:
    """Run the week: build, export, train, predict, load, compare and publish."""
    if resume:
        others = (cutoff, horizon, trained_model)
        if any(o is not None for o in others) or model_names or backtests or dry_run:
            raise UserError(
                "--resume goes on with a batch as it was asked and takes no other option.",
                where="salescast run",
                fix="Leave the other options out, or start a new batch without --resume.",
            )
        _resume(target, take_lock, stop_jobs, as_json)
        return
    from salescast.week.plan import Asked

    asked = Asked(
        "run",
        cutoffs=[cutoff.date()] if cutoff else [],
        horizon=horizon,
        model_names=model_names,
        backtests=backtests,
        trained_model=trained_model,
    )
    if dry_run:
        _estimate(asked, target, as_json)
    else:
        _start(asked, target, take_lock, stop_jobs, as_json)


@cli.command(
    epilog=_example(
        "salescast backtest --cutoff 2026-01-31 --cutoff 2026-05-02\n"
        "  salescast backtest --last 8 --step 4 --model blend"
    )
)
@click.option(
    "--cutoff",
    "cutoffs",
    type=click.DateTime(["%Y-%m-%d"]),
    multiple=True,
    metavar="DATE",
    help="Last week to show the models; may be given again.",
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    help="So many cutoffs, --step weeks apart, the newest as far before the newest week.",
)
@click.option(
    "--step", type=click.IntRange(min=1), default=4, show_default=True, help="Weeks between them."
)
@_horizon_option
@_model_option
@_dry_run_option
@_target_option
@_take_lock_option
@_stop_jobs_option
@_json_option
def backtest(
    cutoffs: tuple[datetime, ...],
    last: int | None,
    step: int,
    horizon: int | None,
    model_names: tuple[str, ...],
    dry_run: bool,
    target: str | None,
    take_lock: bool,
    stop_jobs: bool | None,
    as_json: bool,
) -> None:
    """Forecast from past cutoffs, to compare models with what was sold since."""
    from salescast.week.plan import Asked

    asked = Asked(
        "backtest",
        cutoffs=[cutoff.date() for cutoff in cutoffs],
        last=last or 0,
        step=step,
        horizon=horizon,
        model_names=model_names,
    )
    if dry_run:
        _estimate(asked, target, as_json)
    else:
        _start(asked, target, take_lock, stop_jobs, as_json)


@cli.command(epilog=_example("salescast report --out report.html"))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; default report.html in the home.",
)
@_target_option
@_json_option
def report(out: Path | None, target: str | None, as_json: bool) -> None:
    """Write the report of the published marts as one HTML file."""
    path = commands.report(_settings(target), out)
    if as_json:
        _print_json({"report": str(path)})
    else:
        _echo(f"Report written: {path}")


@cli.command(epilog=_example("salescast leaderboard --level chain --weeks 1-4"))
@click.option(
    "--level",
    type=click.Choice(["store-department", "store", "department", "chain"]),
    default="store-department",
    show_default=True,
    help="What is judged: series or totals.",
)
@click.option(
    "--weeks",
    "horizon_band",
    type=click.Choice(["all", "1-4", "5-13", "14-26", "27+"]),
    default="all",
    show_default=True,
    help="Weeks ahead.",
)
@_target_option
@_json_option
def leaderboard(level: str, horizon_band: str, target: str | None, as_json: bool) -> None:
    """Show the models side by side over all cutoffs, with intervals."""
    rows = commands.leaderboard(_settings(target), level, horizon_band)
    if as_json:
        _print_json({"models": rows})
    else:
        _print_leaderboard(rows, level, horizon_band)


@cli.command(epilog=_example("salescast status --json"))
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="Batches to show.",
)
@_target_option
@_json_option
def status(last: int, target: str | None, as_json: bool) -> None:
    """Show the newest batches and their runs."""
    settings = _settings(target)
    found = commands.status(settings, last)
    batches = found.batches
    if as_json:
        _print_json(
            {
                "home": str(settings.home),
                "batches": [
                    {
                        **batch.record.model_dump(
                            mode="json", exclude={"runs", "finished", "attempts"}
                        ),
                        "last_error": batch.last_error,
                        "runs": [
                            {
                                "batch_id": batch.record.batch_id,
                                "command": batch.record.command,
                                "status": batch.record.status,
                                "run_id": each.run.run_id,
                                "model_id": each.run.model_id,
                                "kind": each.run.kind,
                                "cutoff_date": each.run.cutoff_date.isoformat(),
                                "next_step": each.next_step,
                            }
                            for each in batch.runs
                        ],
                    }
                    for batch in batches
                ],
                "unreadable": [vars(problem) for problem in found.unreadable],
            }
        )
        return
    for problem in found.unreadable:
        _echo(f"warning: {problem}", err=True)
    if not batches:
        _echo(f"No batch in {settings.home} yet. Start one with `salescast run`.")
        return
    from salescast.console import print_table

    print_table(
        f"Batches of {settings.home}",
        ["run", "kind", "cutoff", "state"],
        [
            (
                each.run.run_id,
                each.run.kind,
                each.run.cutoff_date,
                f"waits for {each.next_step}" if each.next_step else "landed",
            )
            for batch in batches
            for each in batch.runs
        ],
    )
    newest = batches[0]
    if newest.record.status != "done":
        if newest.last_error:
            _echo(f"The newest batch stopped: {newest.last_error}")
        _echo("Go on with it: salescast run --resume")


@cli.command(
    epilog=_example(
        'salescast withdraw 20261122t131415-1a2b-1-deepar --reason "made from the wrong file"'
    )
)
@click.argument("run_id")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the lake.")
@_target_option
@_take_lock_option
@_json_option
def withdraw(run_id: str, reason: str, target: str | None, take_lock: bool, as_json: bool) -> None:
    """Take a landed run, or all runs of a batch, out of charts and accuracy.

    Its forecasts stay in marts.fct_forecast, marked as withdrawn. The first run of the same model
    and cutoff that is left takes its place. The next build shows it.
    """
    runs = commands.withdraw(_settings(target), run_id, reason=reason, take_lock=take_lock)
    if as_json:
        _print_json({"withdrawn": runs})
        return
    for each in runs:
        _echo(f"withdrawn {each}")
    _echo("Show it: salescast build")


@cli.group(
    epilog="\b\nExamples:\n"
    '  salescast champion set deepar --reason "better wQL in the backtests"\n'
    "  salescast champion show --json\n  salescast champion rollback"
)
def champion() -> None:
    """Choose the model that is shown first and that `--model champion` stands for."""


@champion.command("show", epilog=_example("salescast champion show --json"))
@_target_option
@_json_option
def champion_show(target: str | None, as_json: bool) -> None:
    """Show the champion."""
    _tell_champion(commands.champion(_settings(target)), as_json)


@champion.command(
    "set", epilog=_example('salescast champion set deepar --reason "better wQL in the backtests"')
)
@click.argument("model_id")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the lake.")
@click.option("--trained-model", metavar="ID", help="Have its runs use a model that is trained.")
@_target_option
@_take_lock_option
@_json_option
def champion_set(
    model_id: str,
    reason: str,
    trained_model: str | None,
    target: str | None,
    take_lock: bool,
    as_json: bool,
) -> None:
    """Choose a model of models.toml."""
    chosen = commands.set_champion(
        _settings(target),
        model_id,
        reason=reason,
        trained_model_id=trained_model,
        take_lock=take_lock,
    )
    _tell_champion(chosen, as_json, is_new=True)


@champion.command("rollback", epilog=_example("salescast champion rollback --reason late"))
@click.option("--reason", metavar="TEXT", help="Why; kept in the lake.")
@_target_option
@_take_lock_option
@_json_option
def champion_rollback(
    reason: str | None, target: str | None, take_lock: bool, as_json: bool
) -> None:
    """Go back to the choice before; given again it goes further back."""
    chosen = commands.roll_back_champion(_settings(target), reason=reason, take_lock=take_lock)
    _tell_champion(chosen, as_json, is_new=True)


@champion.command("history", epilog=_example("salescast champion history"))
@_target_option
@_json_option
def champion_history(target: str | None, as_json: bool) -> None:
    """Show all choices, the newest first."""
    settings = _settings(target)
    choices = commands.champion_history(settings)
    if as_json:
        _print_json([vars(choice) for choice in choices])
        return
    if not choices:
        unchosen = commands.champion(settings).model_id
        _echo(f"No champion was chosen yet: it is {unchosen}.")
        return
    from salescast.console import DASH, print_table

    print_table(
        "Champions",
        ["chosen (UTC)", "by", "model", "trained model", "reason"],
        [
            (
                f"{choice.set_at:%Y-%m-%d %H:%M:%S}",
                choice.action,
                choice.model_id,
                choice.trained_model_id or DASH,
                choice.reason or DASH,
            )
            for choice in choices
        ],
    )


@cli.command(
    epilog="\b\nExamples:\n  salescast prune --older-than 90 --dry-run\n"
    "  salescast prune --older-than 90"
)
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    required=True,
    metavar="DAYS",
    help="Only batches that were finished that many days ago.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would go; remove nothing.")
@_target_option
@_take_lock_option
@_json_option
def prune(
    older_than: int, dry_run: bool, target: str | None, take_lock: bool, as_json: bool
) -> None:
    """Remove working files and SageMaker's models of old batches, never anything that landed."""

    def tell(each: Removal) -> None:
        if not as_json:
            size = f", {each.n_files:,} files, {_size(each.n_bytes)}" if each.n_files else ""
            _echo(f"{each.kind}: {each.place}{size}")

    removals = commands.prune(
        _settings(target), older_than, dry_run=dry_run, take_lock=take_lock, told=tell
    )
    n_bytes = sum(each.n_bytes for each in removals)
    if as_json:
        rows = [
            {key: value for key, value in vars(each).items() if key != "remove"}
            for each in removals
        ]
        _print_json({"dry_run": dry_run, "n_bytes": n_bytes, "removed": rows})
        return
    word = "would go" if dry_run else "removed"
    _echo(f"{len(removals):,} {word}, {_size(n_bytes)}")


@cli.command(epilog=_example("salescast doctor --target athena"))
@_target_option
@_json_option
def doctor(target: str | None, as_json: bool) -> None:
    """Look at everything that a target needs, and say what to do about what is wrong."""
    settings = _settings(target)
    from salescast.doctor import State, examine

    outcomes = {}
    for name, outcome in examine(settings):
        outcomes[name] = outcome
        if not as_json:
            state = click.style(f"{outcome.state:<11}", fg=_STATE_COLOURS[outcome.state])
            click.echo(f"{state}  {printable(f'{name}: {outcome.found}')}")
            if outcome.fix:
                _echo(f"{'':<11}  fix: {outcome.fix}")
    states = [outcome.state for outcome in outcomes.values()]
    n_failed = states.count(State.FAILED)
    if as_json:
        checks = [{"name": name, **vars(outcome)} for name, outcome in outcomes.items()]
        _print_json({"target": settings.target, "n_failed": n_failed, "checks": checks})
    else:
        counts = ", ".join(f"{states.count(state)} {state}" for state in State)
        _echo(f"{len(states)} checks of the target {settings.target}: {counts}")
    if n_failed:
        click.get_current_context().exit(1)


@cli.command(epilog=_example("salescast build --full-refresh"))
@click.option(
    "--selector",
    type=click.Choice(get_args(commands.Selector)),
    help="Only this part; default all but what only new forecasts of some models need.",
)
@click.option("--full-refresh", is_flag=True, help="Rebuild incremental models from nothing.")
@_target_option
@_take_lock_option
@_json_option
def build(
    selector: commands.Selector | None,
    full_refresh: bool,
    target: str | None,
    take_lock: bool,
    as_json: bool,
) -> None:
    """Build the warehouse on what has landed, and publish the marts."""
    from salescast.console import ConsoleProgress

    with ConsoleProgress() as progress:
        built = commands.build(
            _settings(target),
            selector,
            full_refresh=full_refresh,
            take_lock=take_lock,
            progress=progress,
        )
    if as_json:
        _print_json(
            {
                "n_nodes": built.result.n_nodes,
                "seconds": built.result.seconds,
                "warnings": list(built.result.warnings),
                "published": str(built.published) if built.published else None,
            }
        )


def _single_step(name: commands.Step, summary: str, *, has_jobs: bool = False) -> None:
    @_batch_option
    @_target_option
    @_take_lock_option
    @_json_option
    def command(
        batch_id: str | None,
        target: str | None,
        take_lock: bool,
        as_json: bool,
        stop_jobs: bool | None = None,
    ) -> None:
        from salescast.console import ConsoleProgress

        with ConsoleProgress() as progress:
            result = commands.step(
                _settings(target),
                name,
                batch_id or None,
                take_lock=take_lock,
                stop_jobs=stop_jobs,
                progress=progress,
            )
        if as_json:
            _print_json(
                {
                    "batch_id": result.record.batch_id,
                    "step": name,
                    "done": [attempt.model_dump(mode="json") for attempt in result.done],
                }
            )
        elif not result.done:
            _echo(f"Batch {result.record.batch_id}: no run waits for the step {name}.")

    if has_jobs:
        command = _stop_jobs_option(command)
    cli.command(name, help=summary, epilog=_example(f"salescast {name}"))(command)


_single_step("export", "Write the training and inference files of a batch's runs.")
_single_step("train", "Train the models of a batch's runs.", has_jobs=True)
_single_step("predict", "Forecast the exported series of a batch's runs.", has_jobs=True)
_single_step("load", "Check and land the forecasts of a batch's runs.")


@cli.command(epilog=_example("salescast demo"))
@click.option(
    "--model",
    "model_id",
    help="Forecast by this model; default blend and, where it works, deepar.",
)
@_json_option
def demo(model_id: str | None, as_json: bool) -> None:
    """Try everything on made-up data: simulate, ingest, run, report."""
    settings = _settings()
    from salescast.console import ConsoleProgress

    with ConsoleProgress() as progress:
        result = commands.demo(settings, model_id, progress=progress)
    _tell_batch(result, as_json)
    path = commands.report(settings)
    _echo(f"Report written: {path}", err=as_json)
    if not as_json:
        _echo(
            f"Open it, or query the marts in {settings.marts_file}.\n"
            "A home holds one chain. For your own data take another: export SALESCAST_HOME=FOLDER, "
            "then\nsalescast ingest PATH --mapping NAME and salescast run."
        )


def _settings(target: str | None = None) -> Settings:
    """Settings of the environment, with the option of the command before them."""
    from salescast.settings import load_settings

    return load_settings(**({"target": target} if target else {}))


def _start(
    asked: Asked, target: str | None, take_lock: bool, stop_jobs: bool | None, as_json: bool
) -> None:
    from salescast.console import ConsoleProgress

    with ConsoleProgress() as progress:
        result = commands.start(
            _settings(target), asked, take_lock=take_lock, stop_jobs=stop_jobs, progress=progress
        )
    _tell_batch(result, as_json)


def _resume(target: str | None, take_lock: bool, stop_jobs: bool | None, as_json: bool) -> None:
    from salescast.console import ConsoleProgress

    with ConsoleProgress() as progress:
        result = commands.resume(
            _settings(target), take_lock=take_lock, stop_jobs=stop_jobs, progress=progress
        )
    batch_id = result.record.batch_id
    if result.carried_out:
        _tell_batch(result, as_json)
    elif as_json:
        _print_json({"batch_id": batch_id, "status": "done", "resumed": False})
    else:
        _echo(f"Batch {batch_id} is finished: there is nothing to resume.")


def _estimate(asked: Asked, target: str | None, as_json: bool) -> None:
    estimate = commands.estimate(_settings(target), asked)
    if as_json:
        _print_json({**asdict(estimate), "n_runs": estimate.n_runs, "max_usd": estimate.max_usd})
    else:
        _print_estimate(estimate)


def _print_estimate(estimate: Estimate) -> None:
    from salescast.console import print_table
    from salescast.forecaster.sagemaker.prices import UNKNOWN

    rows = ", ".join(f"{table} {n:,}" for table, n in sorted(estimate.landed_rows.items()))
    _echo(f"`salescast {estimate.command}` would start this; nothing is started now.")
    _echo(f"landed rows: {rows}")
    for each in estimate.cutoffs:
        _echo(f"cutoff {each.cutoff_date}: {each.n_series:,} series")
    _echo(
        f"runs: {estimate.n_runs} ({', '.join(estimate.models)} at each cutoff), "
        f"{estimate.prediction_length} weeks ahead"
    )
    sent = sum(job.estimated_bytes for job in estimate.jobs)
    _echo(f"jobs: {len(estimate.jobs)}, sent to them about {_size(sent)} (an estimate)")
    billed = [(job, job.limits) for job in estimate.jobs if job.limits]
    if billed:
        print_table(
            "Jobs on SageMaker",
            ["job", "model", "cutoff", "about", "machines", "limit", "price/h", "longest bill"],
            [
                (
                    job.use,
                    job.model_id,
                    job.cutoff_date,
                    _size(job.estimated_bytes),
                    f"{limits.instance_count} x {limits.instance_type}",
                    f"{limits.max_seconds:,} s",
                    _dollars(limits.usd_per_hour),
                    _dollars(limits.max_usd),
                )
                for job, limits in billed
            ],
        )
        longest = UNKNOWN
        if estimate.max_usd is not None:
            longest = _dollars(estimate.max_usd) + (
                f"; {_dollars(estimate.max_attempts * estimate.max_usd)} if AWS itself fails each "
                f"job until it is started {estimate.max_attempts} times"
            )
        _echo(
            f"longest possible bill of these machines: {longest}\n"
            "Spot never costs more. Disks, S3 and logs are not in it, and a transform's limit is "
            f"kept by the running command.\nprices: {estimate.price_table}"
        )
    else:
        _echo("bill of the jobs: none, they run on this machine")
    if (price := estimate.usd_per_tb_scanned) is not None:
        _echo(
            f"Athena: ${price:g} per TB scanned, which no limit here bounds; the detail of each "
            "step of an earlier batch (lake table run_steps) tells what it scanned."
        )
    if estimate.refusal is not None:
        _echo(f"`salescast {estimate.command}` would be refused now: {estimate.refusal}")


def _tell_champion(champion: Champion, as_json: bool, *, is_new: bool = False) -> None:
    if as_json:
        _print_json(vars(champion))
        return
    of = f" with the trained model {champion.trained_model_id}" if champion.trained_model_id else ""
    since = f", since {champion.set_at:%Y-%m-%d %H:%M:%S} UTC" if champion.set_at else ""
    _echo(f"The champion is {champion.model_id}{of}{since}.")
    if champion.reason:
        _echo(f"Reason: {champion.reason}")
    if is_new:
        _echo("Marts and reports show it after the next `salescast run` or `salescast build`.")


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"


def _dollars(value: float | None) -> str:
    return "unknown" if value is None else f"${value:,.2f}"


def _tell_batch(result: commands.BatchResult, as_json: bool) -> None:
    """Print the runs of a finished batch, or the accuracy at its cutoffs."""
    if as_json:
        _print_json(
            {
                "batch_id": result.record.batch_id,
                "status": result.record.status,
                "runs": [each.model_dump(mode="json") for each in result.record.runs],
                "rejected_rows": dict(result.rejected),
                "reruns": [
                    {**vars(each), "cutoff_date": each.cutoff_date.isoformat()}
                    for each in result.reruns
                ],
                "accuracy": [
                    {**vars(row), "cutoff_date": row.cutoff_date.isoformat()}
                    for row in result.accuracy
                ],
            }
        )
        return
    _print_accuracy(result.accuracy)
    if result.record.learned_from:
        _echo(
            f"All models at the {len(result.record.learned_from)} earlier cutoffs that were made "
            "to learn from: salescast leaderboard"
        )
    for each in result.reruns:
        _echo(
            f"The record of {each.model_id} at {each.cutoff_date} stays {each.record_run_id}, the "
            "first forecast of that week: accuracy judges it. Was it made from wrong data? "
            f"salescast withdraw {each.record_run_id} --reason TEXT"
        )
    if result.rejected:
        _echo(
            f"{sum(n for _, n in result.rejected):,} landed rows are set aside ("
            + ", ".join(f"{reason} {n:,}" for reason, n in result.rejected)
            + "): see reports.rpt_rejected_rows, or the page of `salescast report`."
        )


def _print_accuracy(accuracy: Sequence[Accuracy]) -> None:
    if not accuracy:
        _echo(
            "No week of these forecasts has been sold yet: accuracy comes with later sales, or "
            "now with --backtests."
        )
        return
    from salescast.console import DASH, print_table

    def percent(value: float | None) -> str:
        return DASH if value is None else f"{100 * value:.1f} %"

    print_table(
        "Accuracy of store-department series",
        ["cutoff", "kind", "model", "WAPE", "wQL", "inside p10-p90", "better than snaive_52"],
        [
            (
                row.cutoff_date,
                row.kind,
                row.model_id,
                percent(row.wape),
                percent(row.wql),
                percent(row.coverage),
                percent(row.value_added),
            )
            for row in accuracy
        ],
    )


def _print_leaderboard(rows: Sequence[dict[str, Any]], level: str, horizon_band: str) -> None:
    if not rows:
        _echo(
            "No week of a forecast has been sold yet: the leaderboard comes with later sales, or "
            "now with salescast backtest --last 8."
        )
        return
    from salescast.console import DASH, print_table

    def percent(value: float | None, digits: int = 1) -> str:
        return DASH if value is None else f"{100 * value:+.{digits}f} %"

    def interval(row: dict[str, Any]) -> str:
        low, high = row["relative_error_low"], row["relative_error_high"]
        return DASH if low is None else f"{percent(low)} to {percent(high)}"

    def share(value: float | None) -> str:
        return DASH if value is None else f"{100 * value:.1f} %"

    weeks = "all weeks ahead" if horizon_band == "all" else f"weeks {horizon_band} ahead"
    print_table(
        f"{level}, {weeks}: error against snaive_52",
        [
            *("model", "cutoffs", "error", "90 % interval", "WAPE", "wQL"),
            *("inside p10-p90", "bias", "seconds a run"),
        ],
        [
            (
                row["model_id"],
                f"{row['n_cutoffs']:,}",
                percent(row["relative_error"]),
                interval(row),
                share(row["wape"]),
                share(row["wql_3"]),
                share(row["coverage"]),
                percent(row["bias"]),
                DASH if row["seconds_a_run"] is None else f"{row['seconds_a_run']:,.1f}",
            )
            for row in rows
        ],
    )
    for row in rows:
        if row["is_challenger"]:
            _echo(
                f"{row['model_id']} is better than the champion over "
                f"{row['n_cutoffs_with_champion']} cutoffs "
                f"({percent(row['relative_to_champion'])}, at most "
                f"{percent(row['relative_to_champion_high'])}): salescast champion set "
                f"{row['model_id']} --reason TEXT"
            )


def _print_json(value: Any) -> None:
    # Plain ASCII: JSON writes out everything else.
    click.echo(json.dumps(value, indent=2, default=str))
