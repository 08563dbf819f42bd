"""Figures for the JSON, and the tables of the page."""

from dataclasses import fields

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.intervals import SeedEstimate
from research.online.arms import CONTROL
from research.session_losses.measuring import Measured, SessionLossResults
from research.session_losses.names import IMPRESSIONS, SESSIONS

TITLE = "Losses of whole sessions"


def figures(results: SessionLossResults) -> list[Figure]:
    """Every variant compared with the config as it is."""
    made = []
    base = results.measured[IMPRESSIONS]
    for name in results.variants:
        for metric in fields(Measured):
            own, other = _metric(results.measured[name], metric.name), _metric(base, metric.name)
            if name == IMPRESSIONS or own is None or other is None:
                continue
            difference = own - other
            note = pages.with_interval(difference.value, difference.interval, 4, signed=True)
            figure = f"{results.feed}.{name}.{metric.name}"
            made.append(Figure(figure, own.value, other.value, "", note=f"minus that of {IMPRESSIONS}: {note}"))
    return made


def markdown(results: SessionLossResults, command: str) -> str:
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
            f"train on in batches of {results.batch_size}, and {pages.decimal(results.session_size, 1)} in a session. "
            f"The number behind a loss is its weight; the cross entropy has 1. In brackets: minus the value of the "
            f"first line, the config as it is, with its 95 % interval over viewers and seeds. The losses should be "
            f"compared with `{SESSIONS}`, too, which has their batches without their loss.",
            pages.table(_columns(results), results.variants),
        ]
    )


def _columns(results: SessionLossResults) -> list[Column[str]]:
    measured = results.measured

    def metric(heading: str, name: str, digits: int, factor: float = 1.0) -> Column[str]:
        def cell(variant: str) -> str:
            own, base = _metric(measured[variant], name), _metric(measured[IMPRESSIONS], name)
            if own is None or base is None:
                return pages.NONE
            value = pages.decimal(factor * own.value, digits)
            if variant == IMPRESSIONS:
                return value
            difference = own - base
            low, high = (factor * end for end in difference.interval)
            return f"{value} [{pages.with_interval(factor * difference.value, (low, high), digits, signed=True)}]"

        return Column(heading, cell)

    columns = [
        words("trained by", lambda variant: variant),
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
