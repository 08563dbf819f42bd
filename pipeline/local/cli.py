"""The command line of the local runner."""

import argparse
import logging
import shlex
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

from pipeline.beam import beam_args
from pipeline.configs import ConfigError, load_config
from pipeline.local.backfill import Backfill, backfill, days_between
from pipeline.local.day_plan import refuse_to_replace
from pipeline.local.quiet import output_to_file, output_to_terminal
from pipeline.local.run import built_in_feed, run_pipeline
from pipeline.local.workdir import Workdir, WorkdirBusyError
from ranker.command_line import (
    UsageError,
    day,
    local_path,
    location,
    print_error,
    print_last,
    readable_folder,
    readable_location,
    readable_text,
    sleep_while_waiting,
    without_patterns,
    writable_folder,
    writable_location,
)
from ranker.config.pipeline import PipelineConfig
from ranker.documents import DocumentError
from ranker.feed_log.layout import FeedLogError, parse_day
from ranker.log_levels import errors_only
from ranker.registry.rollback import RollbackError, roll_back

DONE, FAILED, USAGE, NOT_BLESSED, ALARM, INTERRUPTED = 0, 1, 2, 3, 4, 130

BUILT_IN = "feed"
_PROJECT_ROOT = Path(__file__).resolve().parents[2]

_EPILOG = """\
exit status:
  0  every component ran, the summary is written, and the model is blessed and pushed (with --no-push: blessed)
  1  a component failed; the line says why, the log has the rest
  2  the command, a path or the feed log cannot be used; the line says why
  3  a model was trained or its effects were updated, but it was not published, because a gate failed, a rollback
     withdrew it, or a model of another config or of a later day was pushed meanwhile; the previous model continues to
     serve
  4  --monitor found a feature, an objective or a slice beyond its limits; the line names it
  130  stopped by Ctrl-C, SIGTERM or the end of the terminal

A run that was stopped continues from the last finished component when it is started again, and a backfill from the last
finished day.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, runs, and returns the exit status."""
    options = _parser().parse_args(arguments)
    sleep_while_waiting()
    # As Ctrl-C: what was started elsewhere is cancelled, and the summary says what was pushed. So does the end of the
    # terminal, but not under nohup.
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    stop_once = _StopOnce()
    before = {number: signal.signal(number, stop_once) for number in numbers}
    try:
        return _command(options)
    except KeyboardInterrupt as stop:
        for note in getattr(stop, "__notes__", ()):
            print_error(note)
        print_last("stopped; the same command continues from the last finished component")
        return INTERRUPTED
    except (UsageError, ConfigError, WorkdirBusyError, RollbackError, DocumentError, OSError) as error:
        print_error(error)
        return USAGE
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _StopOnce:
    """Stops the run at the first signal, and at each Ctrl-C.

    One event may send several signals: kernel and shell both report the end of a terminal, `timeout` signals a command
    and its group, and systemd sends SIGTERM and SIGHUP. The later ones must not interrupt the writing of the summary.
    """

    def __init__(self) -> None:
        self._stopped = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._stopped and number != signal.SIGINT:
            return
        self._stopped = True
        raise KeyboardInterrupt


def _command(options: argparse.Namespace) -> int:
    config = _with_beam(load_config(options.config), options)
    training = {
        "--publish-withdrawn": options.publish_withdrawn,
        "--refit": options.refit,
        "--no-push": not options.push,
        "--replaces": options.replaces,
    }
    if options.mlflow is not None and (options.backfill or options.rollback or options.monitor or options.effects):
        raise UsageError("--mlflow: it goes with the run of one day")
    if isinstance(options.mlflow, Path):
        writable_folder("--mlflow", options.mlflow)
    for name, given in training.items():
        if given and (options.rollback or options.monitor or options.effects):
            raise UsageError(f"{name}: it goes with a run that trains, not with --rollback, --monitor or --effects")
    if options.backfill and not options.push:
        raise UsageError("--no-push: it goes with the run of one day; each day of a backfill continues from the last")
    if options.effects and config.effects is None:
        raise UsageError(f"--effects: the config {options.config!r} has no effects; set PipelineConfig.effects")
    path = options.workdir or Path("workdir") / options.config
    if options.rollback:
        readable_folder("--workdir", path)
    without_patterns("--workdir", writable_folder("--workdir", path))
    workdir = Workdir(path.resolve(), _push_destination(options))
    workdir.check()
    if options.rollback:
        with workdir.lock():
            return _roll_back(workdir)
    schema = _PROJECT_ROOT / config.schema
    if not schema.exists():
        raise UsageError(
            f"--config {options.config}: there is no schema {config.schema}; draft one with `uv run python "
            f"-m pipeline.infer_schema --config {options.config} --feed-log DIR`, and review it"
        )
    readable_text(f"--config {options.config}: schema", schema)
    if options.feed_log is not None:
        readable_location("--feed-log", options.feed_log)
        if isinstance(options.feed_log, Path):
            options.feed_log = options.feed_log.resolve()
    elif options.config != BUILT_IN:
        raise UsageError(f"--config {options.config}: give the folder of its feed log with --feed-log DIR")
    if options.push and not (options.monitor or options.effects):
        with errors_only("ranker.registry.versions"):  # the run itself logs its warnings
            refuse_to_replace(config, workdir, options.replaces)
    with workdir.lock():
        if options.monitor:
            run_id, log = "", workdir.monitoring / "logs" / f"{options.monitor}.log"
        else:
            run_id = workdir.new_run(datetime.now())
            log = workdir.run(run_id) / "run.log"
        with output_to_terminal() if options.verbose else output_to_file(log) as console:
            if options.monitor:
                return _monitor(options, config, workdir, console)
            if options.effects:
                return _update_effects(options, config, workdir, run_id, console)
            return _run(options, config, workdir, run_id, console)


def _with_beam(config: PipelineConfig, options: argparse.Namespace) -> PipelineConfig:
    """The config with Beam's arguments of the command line."""
    if options.beam_args is not None:
        try:
            arguments = tuple(shlex.split(options.beam_args))
            beam_args(arguments)
        except ValueError as error:
            raise UsageError(f"--beam-args: {str(error).removeprefix('beam_pipeline_args: ')}") from None
        config = replace(config, beam_pipeline_args=arguments)
    return replace(config, shared_paths=True) if options.shared_paths else config


def _push_destination(options: argparse.Namespace) -> str | None:
    place: Path | str | None = options.push_destination
    if place is None:
        return None
    writable_location("--push-destination", place)
    if isinstance(place, str):
        return place
    return str(without_patterns("--push-destination", place).resolve())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local_runner.py",
        description="Trains and evaluates the feed ranker on this machine, and publishes it if its gates pass.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", default=BUILT_IN, metavar="NAME", help="a config of pipeline_config.py (default: %(default)s)"
    )
    parser.add_argument(
        "--feed-log",
        type=location,
        metavar="DIR",
        help="the feed log: one folder day-YYYY-MM-DD of Parquet files per day, as a path or a URI such as "
        f"s3://bucket/log (default with --config {BUILT_IN}: a built-in feed is generated)",
    )
    parser.add_argument(
        "--workdir",
        type=local_path,
        metavar="DIR",
        help="folder for artifacts, models, logs and summaries (default: workdir/NAME)",
    )
    parser.add_argument(
        "--push-destination",
        type=location,
        metavar="DIR",
        help="where blessed models go and the serving one is found, as a path or a URI such as s3://bucket/models "
        "(default: serving_model in the workdir)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--day",
        type=day,
        metavar="YYYY-MM-DD",
        help="the day to evaluate on; trained on the days before it (default: the newest of the feed log)",
    )
    what.add_argument(
        "--backfill",
        type=_days,
        metavar="START:END",
        help="run every day from START to END, as a daily schedule would have; continues where it stopped",
    )
    what.add_argument(
        "--monitor",
        type=day,
        metavar="YYYY-MM-DD",
        help="train nothing: score this day with the serving model, and record its health",
    )
    what.add_argument(
        "--effects",
        action="store_true",
        help="train nothing: update the random effects of the serving model with the newest impressions, and publish "
        "it if it is not worse on the newest hours",
    )
    what.add_argument(
        "--rollback", action="store_true", help="publish the previously serving model again, and run nothing"
    )
    parser.add_argument(
        "--refit",
        action="store_true",
        help="fit Transform graph, forest and towers from scratch, whatever the config's cadence is",
    )
    parser.add_argument(
        "--publish-withdrawn",
        action="store_true",
        help="publish the model even if a rollback withdrew it; by default the run publishes nothing and exits with 3",
    )
    parser.add_argument(
        "--no-push",
        dest="push",
        action="store_false",
        help="train and evaluate, and publish nothing; exit status 0 if the model is blessed, else 3",
    )
    parser.add_argument(
        "--replaces",
        default="",
        metavar="NAME",
        help="replace the serving model of the config NAME, for example after a config was renamed; by default a run "
        "does not replace the model of another config, nor one of a later day that is pushed while it trains",
    )
    parser.add_argument(
        "--mlflow",
        type=location,
        metavar="PLACE",
        help="record the run in MLflow: a folder, for its file store, or the URI of a tracking server (needs the extra "
        "mlflow)",
    )
    parser.add_argument(
        "--beam-args",
        metavar="ARGS",
        help="Beam's arguments in place of the config's beam_pipeline_args, as one text: --beam-args="
        '"--runner=PortableRunner --job_endpoint=HOST:PORT …"',
    )
    parser.add_argument(
        "--shared-paths",
        action="store_true",
        help="Beam's workers on other machines see this machine's folders under the same paths",
    )
    parser.add_argument("--verbose", action="store_true", help="show the log on the terminal instead of progress")
    return parser


def _days(text: str) -> tuple[date, date]:
    start, _, end = text.partition(":")
    try:
        days = parse_day(start), parse_day(end)
    except FeedLogError:
        raise argparse.ArgumentTypeError(f"{text!r} is not START:END, each a day as YYYY-MM-DD") from None
    if days[0] > days[1]:
        raise argparse.ArgumentTypeError(f"{text!r}: START must not come after END")
    return days


def _roll_back(workdir: Workdir) -> int:
    done = roll_back(workdir.push_destination)
    print(f"version {done.version} serves, a copy of {done.republishes}, instead of {done.instead_of}")
    return DONE


def _run(options: argparse.Namespace, config: PipelineConfig, workdir: Workdir, run_id: str, console: Console) -> int:
    try:
        if options.backfill:
            feed_log = options.feed_log or built_in_feed(workdir, console)
            days = days_between(*options.backfill)
            task = Backfill(config, workdir, feed_log, days, run_id, options.publish_withdrawn, options.replaces)
            outcome = backfill(task, console)
        else:
            outcome = run_pipeline(
                config,
                workdir,
                options.feed_log,
                options.day,
                run_id,
                console,
                options.refit,
                options.publish_withdrawn,
                options.push,
                options.mlflow,
                options.replaces,
            )
    except FeedLogError as error:
        raise UsageError(str(error)) from None
    logging.getLogger(__name__).info("exit status %d", outcome)
    return outcome


def _monitor(options: argparse.Namespace, config: PipelineConfig, workdir: Workdir, console: Console) -> int:
    with console.status("loading TensorFlow"):
        # Only this command and a full run need TensorFlow, and importing it takes seconds.
        from pipeline.local.monitor import HistoryError, ModelError, monitor_day
    feed_log = options.feed_log or workdir.built_in_feed
    try:
        outcome = monitor_day(config, workdir, feed_log, options.monitor, console)
    except (FeedLogError, HistoryError, ModelError) as error:
        raise UsageError(str(error)) from None
    logging.getLogger(__name__).info("exit status %d", outcome)
    return outcome


def _update_effects(
    options: argparse.Namespace, config: PipelineConfig, workdir: Workdir, run_id: str, console: Console
) -> int:
    with console.status("loading TensorFlow"):
        from pipeline.local.effects import update_effects
        from ranker.effects.newton import NotConvergedError
    feed_log = options.feed_log or workdir.built_in_feed
    try:
        outcome = update_effects(config, workdir, feed_log, run_id, console)
    except FeedLogError as error:
        raise UsageError(str(error)) from None
    except NotConvergedError as error:
        print_error(error)
        return FAILED
    logging.getLogger(__name__).info("exit status %d", outcome)
    return outcome
