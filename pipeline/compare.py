"""Compares two models on the same impressions: `python -m pipeline.compare A B --feed-log DIR`."""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from ranker.command_line import day, location, output_file, print_error, quiet_tensorflow, readable_location
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.table import text_table
from ranker.feed_log.layout import latest_day
from ranker.files import write_text

if TYPE_CHECKING:
    from ranker.feed_log.columns import LogColumns
    from ranker.scoring.description import Description

_USAGE = 2
_ROWS = 65_536

_DESCRIPTION = """\
Evaluates two models on the impressions of one day, and says where they differ significantly. Each model is a version
of a pushed model, or a push destination for its newest version; a path or a URI. Neither should have been trained on
the day.

Differences are A's minus B's, with 95 % intervals over viewers, in pairs: both models score the same impressions.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after an error, which it prints in one line."""
    options = _parser().parse_args(arguments)
    try:
        readable_location("--feed-log", options.feed_log)
        held_out = options.day or latest_day(options.feed_log)
        quiet_tensorflow()
        # TensorFlow takes seconds to import; a wrong command is refused before.
        from ranker.histories.tables import day_tables
        from ranker.scoring.evaluating import evaluate_tables
        from ranker.scoring.loading import load_model

        first, second = load_model(str(options.a)), load_model(str(options.b))
        for name, model in (("A", first), ("B", second)):
            days = model.description.manifest.trained_days
            note = "; it was trained on this day" if held_out.isoformat() in days else ""
            print(f"{name}: {model.location}{note}")
        columns = _columns(first.description, second.description)
        tables = day_tables(str(options.feed_log), held_out, columns, _ROWS)
        evaluation = evaluate_tables(first, tables, second, [(column,) for column in options.slice])
    except (OSError, ValueError) as error:
        print_error(error)
        return _USAGE
    for line in comparison_lines(evaluation, held_out):
        print(line)
    if options.json is not None:
        write_text(options.json, evaluation.to_json() + "\n")
    return 0


def comparison_lines(evaluation: Evaluation, held_out: date) -> Iterator[str]:
    """The comparison as text: a table over all impressions, and one per slice."""
    yield f"{held_out}: {evaluation.impressions:,} impressions; differences are A minus B, * is significant"
    headings = ("objective", "AUC of A", "AUC of B", "AUC", "GAUC", "normalized entropy", "|log O/E|")
    for name, objectives in (("", evaluation.objectives), *((one.name, one.objectives) for one in evaluation.slices)):
        rows = []
        for objective, found in objectives.items():
            if found.baseline is None or found.comparison is None:
                rows.append((objective, _value(found.candidate.auc), "–", "–", "–", "–", "–"))
                continue
            compared = found.comparison
            rows.append(
                (
                    objective,
                    _value(found.candidate.auc),
                    _value(found.baseline.auc),
                    _difference(compared.auc_drop, -1),
                    _difference(compared.gauc_drop, -1),
                    _difference(compared.normalized_entropy_growth),
                    _difference(compared.calibration_worsening),
                )
            )
        if name:
            yield f"{name}:"
        yield text_table(headings, rows, (1, 2))
    if (utility := evaluation.utility.comparison) is not None:
        yield f"utility of the top {evaluation.sessions.utility.k}, relative: {_difference(utility.utility_drop, -1)}"
        yield f"NDCG of the utility: {_difference(utility.ndcg_drop, -1)}"


def _value(estimate: Estimate) -> str:
    return f"{estimate.value:.4f}" if estimate.defined else "–"


def _difference(estimate: Estimate, sign: int = 1) -> str:
    """A difference with its interval, and a star if the interval leaves out 0."""
    if not estimate.defined:
        return "–"
    lower, upper = sorted((sign * estimate.lower, sign * estimate.upper))
    star = "*" if math.isfinite(lower) and math.isfinite(upper) and (lower > 0 or upper < 0) else ""
    # Adding 0 turns a negative zero into zero.
    return f"{sign * estimate.value + 0.0:+.4f}{star} [{lower + 0.0:+.4f}, {upper + 0.0:+.4f}]"


def _columns(first: "Description", second: "Description") -> "LogColumns":
    """The columns that the histories of both models are computed from.

    Raises:
        ValueError: the models have different histories of the same name.
    """
    from ranker.feed_log.columns import columns_of

    found = [columns_of(one.objectives, one.features, one.keys) for one in (first, second)]
    histories = {history.name: history for one in found for history in one.histories}
    if differing := sorted({h.name for one in found for h in one.histories if histories[h.name] != h}):
        raise ValueError(f"A and B have different histories of the name {differing[0]!r}, which a log cannot have both")
    columns = {column.name: column for one in found for column in one.columns}
    return replace(found[0], columns=tuple(columns.values()), histories=tuple(histories.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pipeline.compare", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", type=location, metavar="A", help="a model")
    parser.add_argument("b", type=location, metavar="B", help="the model to compare it with")
    parser.add_argument("--feed-log", required=True, type=location, metavar="DIR", help="the folder of day folders")
    parser.add_argument("--day", type=day, metavar="YYYY-MM-DD", help="the day (default: the newest)")
    parser.add_argument(
        "--slice", action="append", default=[], metavar="COLUMN", help="also compare by the values of this column"
    )
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the evaluation there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
