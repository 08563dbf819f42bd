"""The command line: `python -m pipeline.replay`, what a model's order would have been worth on logged days."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from pipeline.configs import ConfigError, load_config
from ranker.command_line import (
    exit_with,
    in_markup,
    location,
    make_console,
    print_error,
    readable_location,
    whole_number,
    without_patterns,
)
from ranker.config.names import UTILITY
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.off_policy import PolicyValue
from ranker.evaluation.shown_numbers import shown_number
from ranker.feed_log.layout import FeedLogError, latest_day, parse_day
from ranker.startup_lines import without_startup_lines

if TYPE_CHECKING:
    from pipeline.policy_values import Compared

_MAX_K = 1_000_000
_TABLE_WIDTH = 120
_ESTIMATORS = ("doubly_robust", "self_normalised", "ips", "matched")

_DESCRIPTION = """\
Estimates what the order of a model would have been worth on logged days, from the sessions that were shown in random
order, and compares it with the order of the log's ranker in the other sessions, and with the random order. The value is
the expected outcome of a session's first k positions, added up; 95 % intervals over viewers. With `--estimator matched`
it is that of one impression there.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, prints the table, and returns the exit status: 0, or 2 if it cannot be computed."""
    options = _parser().parse_args(arguments)
    console = make_console()
    console.width = max(console.width, _TABLE_WIDTH)
    try:
        config = load_config(options.config)
        position = position_column(config, options.position)
        days = [parse_day(day) for day in dict.fromkeys(options.day)] if options.day else [latest_day(options.feed_log)]
        k = options.k or config.utility.k
        model = readable_location("--model", options.model)
        if isinstance(model, Path):
            without_patterns("--model", model)
        # TensorFlow takes seconds to import; a wrong command is refused before.
        with without_startup_lines():
            from pipeline.local.day_reading import model_scorer
            from pipeline.policy_values import compare_orders
        score = model_scorer(config, model)
        found = compare_orders(config, options.feed_log, days, lambda batch: score(batch).relevance, position, k)
    except (ConfigError, FeedLogError, ValueError, OSError) as error:
        print_error(error)
        return 2
    console.print(_table(found, options.estimator), soft_wrap=True)
    sessions = found[UTILITY].model.sessions
    matches = found[UTILITY].model.matches
    console.print(
        f"{', '.join(map(str, days))}, first {k} positions; {sessions:,} sessions in random order, {matches:,} matches",
        soft_wrap=True,
    )
    if options.estimator == "matched":
        console.print("values are those of one impression in these positions, not of a session", soft_wrap=True)
    console.print("effective: sessions with matches, of equal weight, that would be as informative", soft_wrap=True)
    return 0


def position_column(config: PipelineConfig, asked: str | None) -> str:
    """The column that was asked for, or the only numeric exposure column; ConfigError if there is none or several."""
    names = [exposure.name for exposure in config.features.exposure if not isinstance(exposure.default, str)]
    if asked is not None:
        numbers = (*names, *config.features.numeric_names)
        if asked not in numbers:
            raise ConfigError(f"--position {asked}: config {config.name} has the numeric columns {', '.join(numbers)}")
        return asked
    if len(names) != 1:
        raise ConfigError(f"config {config.name}: which column holds the position? Name it by --position")
    return names[0]


def _table(found: "dict[str, Compared]", estimator: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("outcome", no_wrap=True)
    for heading in ("model", "logged order", "random order", "effective"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, compared in found.items():
        model = getattr(compared.model, estimator)
        observed = (order.comparable(estimator) for order in (compared.logged_order, compared.random_order))
        values = (_shown(value) for value in (model, *observed))
        table.add_row(in_markup(name), *values, f"{model.effective_sessions:,.0f}")
    return table


def _shown(value: PolicyValue) -> str:
    if value.too_few:
        return "too few"
    estimate = value.estimate
    shown, lower, upper = (shown_number(one, ".3g") for one in (estimate.value, estimate.lower, estimate.upper))
    return f"{shown} ({lower} to {upper})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.replay",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, metavar="NAME", help="a config of pipeline_config.py")
    parser.add_argument("--feed-log", type=location, required=True, metavar="DIR", help="the folder of day folders")
    parser.add_argument("--model", type=location, required=True, metavar="DIR", help="a pushed version, a SavedModel")
    parser.add_argument(
        "--day",
        nargs="+",
        metavar="YYYY-MM-DD",
        help="days that the model was not trained on (default: the newest)",
    )
    parser.add_argument(
        "--k",
        type=whole_number(1, _MAX_K),
        metavar="N",
        help="positions at the top (default: the config's utility.k)",
    )
    parser.add_argument(
        "--position", metavar="NAME", help="the column with the position (default: the config's numeric exposure)"
    )
    parser.add_argument(
        "--estimator",
        choices=_ESTIMATORS,
        default=_ESTIMATORS[0],
        help="of the model's value; see ranker/evaluation/replay.py (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    exit_with(main)
