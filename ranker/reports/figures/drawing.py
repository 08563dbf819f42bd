"""A finished figure, and helpers that several figures share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from scipy import special

from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.scores import ScoreHistogram
from ranker.figure_text import shortened as shortened
from ranker.reports.svg import colour

Floats = npt.NDArray[np.float64]

SMALL = (340, 250)  # CSS pixels: fits a phone; a desktop shows three side by side
MAX_SLICES = 30
"""Maximum number of slices in a figure; the tables list more."""

_LEAST_EDGE = 1e-8  # replaces 0 on a logarithmic axis, and is left to 1
_FREQUENT = 0.5  # from this probability on, a logarithmic axis shows too little
_ODDS_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
_MOST_TICKS = 7


@dataclass(frozen=True)
class Drawing:
    """A figure with a title above and a caption below; `wide` ones scroll on a narrow screen instead of shrinking."""

    svg: Markup
    title: str = ""
    caption: str = ""
    wide: bool = False


@dataclass(frozen=True)
class SliceRow:
    """One row of a figure that lists slices.

    Attributes:
        label: "all impressions", the columns of a kind of slice as a heading, or one slice's values.
        objectives: metrics by objective; None for a heading.
    """

    label: str
    objectives: Mapping[str, ObjectiveEvaluation] | None


def slice_rows(evaluation: Evaluation, most: int = MAX_SLICES) -> tuple[list[SliceRow], int]:
    """All impressions and the slices with the most impressions, under a heading per kind; number of omitted slices.

    Args:
        evaluation: with the slices.
        most: maximum number of slices.
    """
    by_size = sorted(evaluation.slices, key=lambda entry: -entry.impressions)
    kept = {entry.name for entry in by_size[:most]}
    rows = [SliceRow("all impressions", evaluation.objectives)]
    heading = ""
    for entry in evaluation.slices:
        if entry.name in kept:
            if (kind := " × ".join(entry.slice)) != heading:
                heading = kind
                rows.append(SliceRow(heading, None))
            rows.append(SliceRow(" × ".join(entry.slice.values()), entry.objectives))
    return rows, len(evaluation.slices) - len(kept)


def label_rows(axes: Axes, labels: Sequence[str], headings: Sequence[bool]) -> None:
    """Labels the rows of a figure from top to bottom, headings in bold."""
    axes.set_yticks(range(len(labels)), [shortened(label) for label in labels])
    for text, heading in zip(axes.get_yticklabels(), headings, strict=True):
        text.set_fontweight("bold" if heading else "normal")
        text.set_color(colour("ink"))
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", left=False)


def score_density(scores: ScoreHistogram) -> tuple[Floats, Floats]:
    """The edges of a score histogram's buckets, [buckets + 1], and its impressions per doubling of the odds, [buckets].

    Buckets differ in width, so the plain counts would give a jagged curve. For small probabilities a doubling of the
    odds is one of the probability; near 1, where probabilities hardly differ, the odds still do.
    """
    edges = np.clip(np.array(scores.edges), _LEAST_EDGE, 1.0 - _LEAST_EDGE)
    return edges, np.array(scores.impressions) / np.diff(np.log2(edges / (1.0 - edges)))


def wilson(positives: Floats, impressions: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Wilson's interval of a share, for independent impressions; [bins] each.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    z = float(special.ndtri(0.5 + 0.5 * confidence))
    share = positives / impressions
    centre = (share + z * z / (2 * impressions)) / (1 + z * z / impressions)
    half = z / (1 + z * z / impressions) * np.sqrt(share * (1 - share) / impressions + (z / (2 * impressions)) ** 2)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def probability_axis(axes: Axes, which: str, low: float, high: float) -> None:
    """An axis of probabilities, labelled in percent: logarithmic, or by log-odds if it reaches beyond one half.

    A logarithmic axis would squeeze the scores of a frequent outcome into its end.
    """
    axis = getattr(axes, f"{which}axis")
    if high > _FREQUENT:
        getattr(axes, f"set_{which}scale")("logit")
        getattr(axes, f"set_{which}lim")(low, min(high, 1.0 - _LEAST_EDGE))
        inside = [tick for tick in _ODDS_TICKS if low <= tick <= high]
        every = -(-len(inside) // _MOST_TICKS)
        # Those next to one half stay, whatever is left out.
        start = inside.index(0.5) % every if 0.5 in inside else 0
        axis.set_major_locator(FixedLocator(inside[start::every]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
        axis.set_minor_locator(NullLocator())
        return
    getattr(axes, f"set_{which}scale")("log")
    getattr(axes, f"set_{which}lim")(low, high)
    axis.set_major_locator(LogLocator(10.0, subs=(1.0, 2.0, 5.0) if high < 60.0 * low else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    axis.set_minor_locator(NullLocator())
