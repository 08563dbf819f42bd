"""The command line: `python -m pipeline.tradeoff`, an experiment that tunes the trade-off between objectives."""

import argparse
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.configs import ConfigError, load_config
from pipeline.replay import position_column
from ranker.command_line import (
    day,
    exit_with,
    in_markup,
    local_path,
    location,
    make_console,
    output_file,
    print_error,
    readable_folder,
    readable_location,
    whole_number,
    without_patterns,
    writable_folder,
)
from ranker.config.pipeline import PipelineConfig
from ranker.config.tradeoff import TradeOff
from ranker.feed_log.layout import FeedLogError, day_files, latest_day
from ranker.files import write_text
from ranker.reports.tradeoff.page import tradeoff_page
from ranker.reports.tradeoff.tables import change, percentage
from ranker.startup_lines import without_startup_lines
from ranker.tradeoff.experiment import HOLDBACK, Experiment
from ranker.tradeoff.offline import MODEL_WARNING, ScoredDay
from ranker.tradeoff.optimiser import Suggestion
from ranker.tradeoff.state import ExperimentState

_MOST_ARMS = 32
_WIDTH = 120

_DESCRIPTION = """\
Tunes the trade-off between objectives by an experiment: tradeoff= of the config declares the goal, the guardrails and
the settings to search.

  suggest   write the arms to test next to STATE/arms.json, which FeedRankerClient(arms=FILE) reads
  record    read arms and outcomes of a day from the feed log
  report    write a page: what each arm did, the guardrails, what to ship

"""
_EPILOG = """\
exit status: 0 done, 2 the command, the config, the log or the state cannot be used; then nothing is changed

  python -m pipeline.tradeoff suggest --config feed --state DIR --feed-log LOG --model MODEL
  python -m pipeline.tradeoff record --config feed --state DIR --feed-log LOG
  python -m pipeline.tradeoff suggest --config feed --state DIR

docs/tradeoff.md explains the experiment.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, runs the command, and returns the exit status."""
    options = _parser().parse_args(arguments)
    console = make_console()
    console.width = max(console.width, _WIDTH)
    try:
        config = load_config(options.config)
        if config.tradeoff is None:
            raise ConfigError(f"config {config.name}: it declares no tradeoff; docs/tradeoff.md has an example")
        state = ExperimentState(writable_folder("--state", options.state))
        command: Callable[..., None] = options.command
        command(options, config, config.tradeoff, state, console)
    except (ConfigError, FeedLogError, ValueError, OSError) as error:
        print_error(error)
        return 2
    return 0


def _suggest(
    options: argparse.Namespace, config: PipelineConfig, tradeoff: TradeOff, state: ExperimentState, console: Console
) -> None:
    if (options.feed_log is None) != (options.model is None):
        raise ConfigError("suggest: --feed-log and --model belong together: the day and the model that scores it")
    if options.day is not None and options.feed_log is None:
        raise ConfigError("suggest: --day needs --feed-log and --model")
    scored = None if options.feed_log is None else _scored(options, config)
    with state.lock():
        experiment = _opened(config, tradeoff, state, scored, create=True)
        if scored is not None:
            state.write_scored_day(scored)
        if options.ship:
            _ship(experiment, state, console)
            return
        if (waiting := experiment.waiting()) is not None:
            console.print(in_markup(waiting), soft_wrap=True)
            return
        arms, suggested = experiment.next_arms(options.arms)
        state.write_arms(arms)
    if experiment.offline is not None and experiment.offline.method == "model":
        console.print(f"[yellow]warning:[/] {MODEL_WARNING}", soft_wrap=True)
    console.print(_suggestions(experiment, suggested), soft_wrap=True)
    console.print(in_markup(f"version {arms.version}: {state.arms_file}"), soft_wrap=True)
    _print_decision(experiment, console)


def _ship(experiment: Experiment, state: ExperimentState, console: Console) -> None:
    arms = experiment.shipping_arms()
    _print_decision(experiment, console)
    if all(len(group.arms) == 1 for group in arms.groups):
        console.print("nothing is shipped: all viewers keep the current setting, and the arms stay as they are")
        return
    state.write_arms(arms)
    console.print(
        in_markup(f"version {arms.version}, with {100 * HOLDBACK:g} % held back: {state.arms_file}"), soft_wrap=True
    )


def _record(
    options: argparse.Namespace, config: PipelineConfig, tradeoff: TradeOff, state: ExperimentState, console: Console
) -> None:
    readable_folder("--state", state.root)
    with without_startup_lines():
        from ranker.tradeoff.recording import read_day
    with state.lock():
        experiment = _opened(config, tradeoff, state, create=False)
        read = [
            read_day(config, tradeoff, experiment.name, experiment.versions, options.feed_log, of_day)
            for of_day in options.day or _growing_days(options.feed_log, experiment)
        ]
        for sums in read:
            experiment.check_day(sums)
        for sums in read:
            state.write_day(sums)
            sessions = sum(sum(arm.sessions) for arm in sums.arms)
            arms = len({arm.arm for arm in sums.arms})
            console.print(f"{sums.day}: {sessions:,} sessions of {arms} arms")


def _growing_days(feed_log: Path | str, experiment: Experiment) -> list[date]:
    """The newest day, after the one before it if that was recorded, perhaps before it had ended."""
    newest = latest_day(feed_log)
    before = newest - timedelta(days=1)
    recorded = before.isoformat() in {of.day for of in experiment.days}
    return [*([before] if recorded and day_files(feed_log, before) else []), newest]


def _report(
    options: argparse.Namespace, config: PipelineConfig, tradeoff: TradeOff, state: ExperimentState, console: Console
) -> None:
    readable_folder("--state", state.root)
    with state.lock():
        experiment = _opened(config, tradeoff, state, create=False)
        output = options.output or state.report_file
        write_text(output, tradeoff_page(experiment))
    _print_decision(experiment, console)
    console.print(in_markup(f"report: {output}"), soft_wrap=True)


def _opened(
    config: PipelineConfig,
    tradeoff: TradeOff,
    state: ExperimentState,
    scored: ScoredDay | None = None,
    *,
    create: bool,
) -> Experiment:
    identity = state.open(config, tradeoff, create=create)
    return Experiment(
        config,
        tradeoff,
        identity.experiment,
        state.versions(identity),
        state.days(identity, config),
        state.scored_day() if scored is None else scored,
    )


def _scored(options: argparse.Namespace, config: PipelineConfig) -> ScoredDay:
    model = readable_location("--model", options.model)
    if isinstance(model, Path):
        without_patterns("--model", model)
    position = None if config.exploration is None else position_column(config, options.position)
    # TensorFlow takes seconds to import; a wrong command is refused before.
    with without_startup_lines():
        from pipeline.local.day_reading import model_scorer
        from ranker.tradeoff.scored_rows import read_scored_day
    score = model_scorer(config, model)
    of_day = options.day or latest_day(options.feed_log)
    return read_scored_day(config, options.feed_log, of_day, lambda batch: score(batch).relevance, position)


def _suggestions(experiment: Experiment, suggested: dict[str | None, list[Suggestion]]) -> Table:
    table = Table(box=None, pad_edge=False)
    by_cohort = len(suggested) > 1
    for heading in (*(("cohort",) if by_cohort else ()), "arm", "setting"):
        table.add_column(heading)
    for heading in (*(f"{metric.name} expected" for metric in experiment.metrics.all), "guardrails hold"):
        table.add_column(heading, justify="right")
    for cohort, suggestions in suggested.items():
        for number, found in enumerate(suggestions, start=1):
            setting = experiment.space.setting(found.point)
            table.add_row(
                *((in_markup(cohort or "others"),) if by_cohort else ()),
                str(number),
                in_markup(setting),
                *(change(mean, sd) for mean, sd in zip(found.means, found.deviations, strict=True)),
                percentage(found.holds),
            )
    return table


def _print_decision(experiment: Experiment, console: Console) -> None:
    confidence = percentage(experiment.tradeoff.confidence)
    shipped = experiment.shipped()
    for cohort, found in shipped.items():
        where = "" if len(shipped) == 1 else f"{cohort or 'others'}: "
        if found is None:
            text = f"no setting is better than arm 0 at a confidence of {confidence}"
        else:
            setting = experiment.space.setting(found.point)
            text = f"to ship: {setting}; goal {change(found.means[0], found.deviations[0])}"
        console.print(in_markup(where + text), soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.tradeoff",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    commands = {
        "suggest": (_suggest, "write the arms to test next"),
        "record": (_record, "read arms and outcomes of a day from the feed log"),
        "report": (_report, "write the page"),
    }
    made = {}
    for name, (command, text) in commands.items():
        made[name] = subparsers.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        made[name].set_defaults(command=command)
        made[name].add_argument("--config", required=True, metavar="NAME", help="a config of pipeline_config.py")
        made[name].add_argument(
            "--state",
            required=True,
            type=local_path,
            metavar="DIR",
            help="the folder of the experiment, on this machine",
        )
    suggest = made["suggest"]
    suggest.add_argument(
        "--arms",
        type=whole_number(1, _MOST_ARMS),
        default=4,
        metavar="N",
        help="settings to test beside the current one (default: %(default)s)",
    )
    suggest.add_argument(
        "--ship",
        action="store_true",
        help=f"serve the setting to ship to all viewers but {100 * HOLDBACK:g} %%, in place of new arms",
    )
    suggest.add_argument(
        "--feed-log", type=location, metavar="DIR", help="score a day of this log for offline estimates; with --model"
    )
    suggest.add_argument("--model", type=location, metavar="DIR", help="a pushed version, a SavedModel")
    suggest.add_argument(
        "--day", type=day, metavar="YYYY-MM-DD", help="a day that the model was not trained on (default: the newest)"
    )
    suggest.add_argument(
        "--position", metavar="NAME", help="the column with the position (default: the config's numeric exposure)"
    )
    record = made["record"]
    record.add_argument("--feed-log", required=True, type=location, metavar="DIR", help="the folder of day folders")
    record.add_argument(
        "--day",
        type=day,
        nargs="+",
        metavar="YYYY-MM-DD",
        help="days to record, also once more when they have grown (default: the newest, and the one before it if it is "
        "recorded)",
    )
    made["report"].add_argument(
        "--output", type=output_file, metavar="FILE", help="the page (default: report.html in --state)"
    )
    return parser


if __name__ == "__main__":
    exit_with(main)
