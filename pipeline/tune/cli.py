"""Searches better settings for a config: `python -m pipeline.tune --config NAME --feed-log DIR --trials N`."""

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.configs import ConfigError, load_config
from pipeline.local.workdir import Workdir, WorkdirBusyError
from pipeline.training_plan import schema_text
from pipeline.tune.days import TuningDays, tuning_days
from pipeline.tune.proposal import config_diff
from pipeline.tune.space import PARTS, SPACE, Setting, space_of
from ranker.command_line import (
    UsageError,
    day,
    local_path,
    location,
    print_error,
    print_last,
    readable_location,
    sleep_while_waiting,
    whole_number,
    writable_folder,
)
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.fingerprint import source_fingerprint
from ranker.feed_log.layout import latest_day, list_days, window_days
from ranker.identity.code import code_fingerprint
from ranker.identity.digest import short_digest
from ranker.log_levels import errors_only
from ranker.startup_lines import without_startup_lines

if TYPE_CHECKING:
    from pipeline.tune.search import Search

_USAGE, _INTERRUPTED = 2, 130
_CODE = (
    "ranker.training.run",
    "ranker.features.preprocessing",
    "ranker.histories.tables",
    "ranker.scoring.evaluating",
    "ranker.evaluation.mean_entropy",
)
"""The code that the value of a trial depends on."""

_DESCRIPTION = """\
Searches settings of forest, towers and training by trials on the days of a feed log. The newest day, on which runs are
evaluated, is never read. A trial is the mean normalized entropy of the objectives on days that it was not trained on;
it is pruned early by the forest's loss on the held-out viewers. The same command continues where it stopped.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after an error, which it prints in one line."""
    options = _parser().parse_args(arguments)
    if importlib.util.find_spec("optuna") is None:
        print_error("optuna is not installed; install it with: uv sync --extra tune")
        return _USAGE
    try:
        config = load_config(options.config)
        readable_location("--feed-log", options.feed_log)
        workdir = writable_folder("--workdir", options.workdir or Path("workdir") / config.name)
        space = space_of(config, options.only or PARTS)
        if not space:
            raise UsageError(f"--only {', '.join(options.only)}: config {config.name!r} has no such setting to search")
        evaluated = options.day or latest_day(options.feed_log)
        days = tuning_days(list_days(options.feed_log), evaluated, options.search_days)
        folder = workdir / "tune" / _fingerprint(config, str(options.feed_log), days, space)
        print(f"searched: {', '.join(setting.path for setting in space)}")
        print(days.text)
        sleep_while_waiting()
        # TensorFlow takes seconds to import; a wrong command is refused before.
        with without_startup_lines():
            from pipeline.tune.search import Search

        # The days that are missing would be named twice in every trial.
        with Workdir(folder).lock(), errors_only("tensorflow", "ranker.feed_log.planning"):
            search = Search(config, str(options.feed_log), days, space, folder, lambda line: print(line, flush=True))
            if search.finished:
                print(f"continued: {search.finished} trials are finished")
            search.run(options.trials)
            _print_proposal(search, config, options.config, days)
            search.tidy()
    except KeyboardInterrupt:
        print_last("interrupted; the same command continues")
        return _INTERRUPTED
    except (ConfigError, UsageError, OSError, ValueError, WorkdirBusyError) as error:
        print_error(error)
        return _USAGE
    return 0


def _print_proposal(search: "Search", config: PipelineConfig, name: str, days: TuningDays) -> None:
    from pipeline.compare import comparison_lines

    number, value, best = search.best
    if best == config:
        print(f"none of the trials is better than the current config, {search.current:.4f}")
        return
    print(f"best: trial {number}, mean normalized entropy {value:.4f}; the current config {search.current:.4f}")
    found = search.gain()
    growth = found.growth
    seen = (
        "no trial was judged by it" if days.is_confirmed else "trials were judged by it, so the gain is biased upwards"
    )
    print(
        f"on {days.confirm} ({seen}): change of the mean normalized entropy {growth.value:+.4f} [{growth.lower:+.4f}, "
        f"{growth.upper:+.4f}] compared with the current config; negative is better"
    )
    if growth.upper < 0:
        print("significantly better")
    elif growth.lower > 0:
        print("significantly worse: keep the config")
    else:
        print("not significantly different: more trials or days may tell; keep the config until then")
    print("A is the best trial, B the current config; ", end="")
    for line in comparison_lines(found.evaluation, days.confirm):
        print(line)
    verdict = "proposed" if growth.upper < 0 else "the best trial; it was not shown to be better"
    print(f"\n--- pipeline_config.py, config {name}\n+++ {verdict}")
    for line in config_diff(config, best):
        print(line)


def _fingerprint(config: PipelineConfig, feed_log: str, days: TuningDays, space: Sequence[Setting]) -> str:
    """What decides about trials: a search with another config, schema, code, days or space begins anew."""
    read = sorted({one for day in (*days.search, days.confirm) for one in window_days(day, config.days_read)})
    return short_digest(
        (
            to_json(config),
            schema_text(config),
            code_fingerprint(*_CODE),
            source_fingerprint(feed_log, read),
            *(day.isoformat() for day in (*days.search, days.confirm)),
            *(f"{setting.path} {setting.range_text}" for setting in space),
        )
    )


def _parser() -> argparse.ArgumentParser:
    ranges = "\n".join(f"  {setting.path:27} {setting.range_text}" for setting in SPACE)
    parser = argparse.ArgumentParser(
        "python -m pipeline.tune",
        description=_DESCRIPTION,
        epilog=f"what is searched:\n{ranges}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, metavar="NAME", help="a config of pipeline_config.py")
    parser.add_argument("--feed-log", required=True, type=location, metavar="DIR", help="the folder of day folders")
    parser.add_argument(
        "--trials", type=whole_number(1, 10_000), default=30, metavar="N", help="trials in all (default: 30)"
    )
    parser.add_argument(
        "--day", type=day, metavar="YYYY-MM-DD", help="the evaluated day, which is not read (default: the newest)"
    )
    parser.add_argument(
        "--search-days",
        type=whole_number(1, 30),
        default=2,
        metavar="N",
        help="days before it that a trial is judged on, one after the other (default: 2)",
    )
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="search this part of the config alone; may be repeated"
    )
    parser.add_argument("--workdir", type=local_path, metavar="DIR", help="keeps the trials (default: workdir/NAME)")
    return parser
