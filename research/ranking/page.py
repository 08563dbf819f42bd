"""Figures for the JSON, and the tables of the page."""

from dataclasses import fields

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.intervals import SeedEstimate
from research.online.arms import CONTROL
from research.ranking.measuring import Measured, RankingResults
from research.ranking.names import BASE

_TITLES = {
    "losses": "Losses of whole sessions",
    "defaults": "The defaults, judged by ranking",
    "distillation": "How fast distillation fades",
}


def title(part: str, data: str) -> str:
    """The page's title."""
    return f"{_TITLES[part]}: {'the built-in feed' if data == 'feed' else data}"


def figures(results: RankingResults) -> list[Figure]:
    """Every variant compared with the config as it is."""
    made = []
    base = results.measured[BASE]
    for name in results.variants:
        for metric in fields(Measured):
            own, other = _metric(results.measured[name], metric.name), _metric(base, metric.name)
            if name == BASE or own is None or other is None:
                continue
            difference = own - other
            note = pages.with_interval(difference.value, difference.interval, 4, signed=True)
            figure = f"{results.feed}.{name}.{metric.name}"
            made.append(Figure(figure, own.value, other.value, "", note=f"minus that of {BASE}: {note}"))
    return made


def markdown(results: RankingResults, command: str) -> str:
    """The table of all variants.

    Args:
        results: of a feed.
        command: the command of the run.
    """
    each = ", each with a feed of its own" if results.is_simulated else ""
    return pages.join(
        [
            pages.origin(command),
            f"{pages.counted(len(results.samples), 'seed')}{each}: {pages.count(results.trained_on)} impressions to "
            f"train on, {pages.decimal(results.session_size, 1)} in a session. In brackets: minus the value "
            "of the first line, with its 95 % interval over viewers and seeds.",
            pages.table(_columns(results), results.variants),
        ]
    )


def _columns(results: RankingResults) -> list[Column[str]]:
    measured = results.measured

    def metric(heading: str, name: str, digits: int, factor: float = 1.0) -> Column[str]:
        def cell(variant: str) -> str:
            own, base = _metric(measured[variant], name), _metric(measured[BASE], name)
            if own is None or base is None:
                return pages.NONE
            value = pages.decimal(factor * own.value, digits)
            if variant == BASE:
                return value
            difference = own - base
            low, high = (factor * end for end in difference.interval)
            return f"{value} [{pages.with_interval(factor * difference.value, (low, high), digits, signed=True)}]"

        return Column(heading, cell)

    columns = [
        words("variant", lambda variant: variant),
        metric("normalized entropy", "normalized_entropy", 4),
        metric("mean of |ln O/E|", "calibration", 3),
        metric("GAUC", "gauc", 4),
        metric(f"NDCG@{results.config.utility.k} of the utility", "ndcg", 4),
    ]
    if results.is_simulated:
        columns.append(metric(f"gain over the {CONTROL}, % of the possible one", "share_of_possible_gain", 1, 100))
    return columns


def _metric(measured: Measured, name: str) -> SeedEstimate | None:
    found: SeedEstimate | None = getattr(measured, name)
    return found
