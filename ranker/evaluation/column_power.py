"""How well one column alone tells the outcomes, which shows a column that holds an outcome in disguise.

What a column says is learnt on the viewers of one fold and measured on those of the other, so that a column with many
values, or a viewer's own numbers, cannot pass as a good predictor by memory. No form of the relation is assumed: a
number may tell the outcome by being large, small, missing or in between, and a vector by any of its directions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from ranker.documents import Number
from ranker.evaluation import intervals, metrics
from ranker.evaluation.buckets import VIEWER_GROUPS, Floats, Ints
from ranker.evaluation.intervals import UNDEFINED, Estimate

CONFIDENCE = 0.95

Region = Sequence[npt.NDArray[np.bool_]]
"""A set of codes, bool [codes], for the impressions of each fold; it is chosen on the other fold."""

_FOLDS = 2
_CUTS = 32  # quantiles of all values that codes begin at
_CUTS_PER_OBJECTIVE = 16  # quantiles of the values of an objective's rarer outcome
_SURE = 0.9  # from this rate on the other fold on, a value counts as one that makes the outcome almost certain
_PRIOR = 0.5  # impressions at the base rate that the rate of a code starts from
_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The outcomes of the impressions that columns are compared with.

    Attributes:
        labels: bool [rows, objectives].
        viewers: int64 [rows], a hash of the viewer in any range of at least a few hundred values.
        observed: bool [rows, objectives], whether each outcome was observed; None if all were.
    """

    labels: npt.NDArray[np.bool_]
    viewers: Ints
    observed: npt.NDArray[np.bool_] | None = None

    @staticmethod
    def of(labels: npt.NDArray[np.floating], viewers: Ints) -> "Outcomes":
        """From labels 0 and 1, NaN where not observed, [rows, objectives]."""
        observed = ~np.isnan(labels)
        return Outcomes(labels > 0.0, viewers, None if observed.all() else observed)

    def of_objective(self, objective: int) -> tuple[npt.NDArray[np.bool_], "Outcomes"]:
        """The rows with the objective's outcome, bool [rows], and the outcomes of that objective in them."""
        rows = np.ones(len(self.labels), bool) if self.observed is None else self.observed[:, objective]
        return rows, Outcomes(self.labels[rows][:, [objective]], self.viewers[rows])

    @property
    def groups(self) -> Ints:
        """The group of each viewer, [rows] in [0, VIEWER_GROUPS); its parity is the fold."""
        return self.viewers % VIEWER_GROUPS


@dataclass(frozen=True)
class ColumnPower:
    """How well a column alone tells an objective's outcome.

    Attributes:
        positives: impressions with the rarer outcome, which is mostly the positive one.
        auc: of the best score that the column gives.
        sure: the share of the rarer outcome where the column makes it almost certain; undefined where it never does.
        sure_share: the share of all impressions with the rarer outcome that are there.
        rate: the share of the rarer outcome among all impressions.
    """

    positives: int
    auc: Estimate
    sure: Estimate
    sure_share: Number
    rate: Number


def column_powers(inputs: npt.NDArray[np.float32], outcomes: Outcomes) -> list[ColumnPower]:
    """How well a column tells each outcome, [objectives].

    Args:
        inputs: [rows, inputs], what models read of the column; NaN where missing.
        outcomes: of the same impressions. An objective is looked at in those with its outcome.
    """
    if outcomes.observed is not None:
        of_each = (outcomes.of_objective(objective) for objective in range(outcomes.labels.shape[1]))
        return [power for rows, own in of_each for power in column_powers(inputs[rows], own)]
    if inputs.shape[1] == 1:
        codes, size = _codes(inputs[:, 0], outcomes.labels)
        scored = ((codes, size) for _ in range(outcomes.labels.shape[1]))
    else:
        # A direction per objective in the space of the inputs makes one number of them.
        scores = _directions(_widened(inputs), outcomes)
        scored = (_codes(scores[:, o], outcomes.labels[:, [o]]) for o in range(outcomes.labels.shape[1]))
    return [_power(codes, size, outcomes, objective) for objective, (codes, size) in enumerate(scored)]


def _widened(inputs: npt.NDArray[np.float32]) -> Floats:
    """The inputs, their squares and whether any is not 0: a direction also tells magnitudes, [rows, 2 n + 2]."""
    values = np.nan_to_num(inputs.astype(np.float64))
    anything = np.any(values != 0.0, axis=1, keepdims=True)
    return np.concatenate([values, values**2, anything, np.ones_like(anything)], axis=1)


def _directions(inputs: Floats, outcomes: Outcomes) -> Floats:
    """For each objective the least-squares score of the outcome, fitted on the other fold, [rows, objectives]."""
    scores = np.zeros((len(inputs), outcomes.labels.shape[1]))
    fold = outcomes.groups % _FOLDS
    for own in range(_FOLDS):
        fitted, rows = inputs[fold != own], fold == own
        products = fitted.T @ fitted
        products[np.diag_indices_from(products)] += _RIDGE * (1.0 + products.diagonal())
        weights = np.linalg.solve(products, fitted.T @ outcomes.labels[fold != own].astype(np.float64))
        scores[rows] = inputs[rows] @ weights
    return scores


def _codes(values: npt.NDArray[Any], labels: npt.NDArray[np.bool_]) -> tuple[Ints, int]:
    """The code of each value, [rows], and the number of codes; codes ascend with the values, the last is for NaN.

    Codes begin at quantiles of all values and of those of each objective's rarer outcome, so that a few impressions at
    the edge of the values have codes of their own. A value that is several quantiles has a code to itself.
    """
    missing = np.isnan(values)
    cuts = [_quantiles(values[~missing], _CUTS)]
    for objective in range(labels.shape[1]):
        rarer = labels[:, objective] != (2 * labels[:, objective].sum() > len(labels))
        cuts.append(_quantiles(values[rarer & ~missing], _CUTS_PER_OBJECTIVE))
    # A value that occurs once gets no such code: the outcome of its only impression would show through the code.
    frequent = np.concatenate([found[1:][found[1:] == found[:-1]] for found in cuts])
    with np.errstate(over="ignore"):  # infinity follows the largest number, which stands for infinities
        after = np.nextafter(frequent, np.inf, dtype=frequent.dtype)
    starts = np.unique(np.concatenate([*cuts, after]))
    codes = np.searchsorted(starts, values, side="right")
    return np.where(missing, len(starts) + 1, codes), len(starts) + 2


def _quantiles(values: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    if not len(values):
        return values
    places = np.unique(np.linspace(0, len(values) - 1, count).astype(np.int64))
    return np.partition(values, places)[places]


def _power(codes: Ints, size: int, outcomes: Outcomes, objective: int) -> ColumnPower:
    labels = outcomes.labels[:, objective]
    rarer = labels != (2 * np.count_nonzero(labels) > len(labels))
    positives = int(np.count_nonzero(rarer))
    # Several positives of one viewer count as one in the bounds of shares.
    viewers = len(np.unique(outcomes.viewers[rarer]))
    if viewers < 2 or positives == len(labels):
        return ColumnPower(positives, UNDEFINED, UNDEFINED, 0.0, positives / max(1, len(labels)))
    cell = (outcomes.groups * 2 + rarer) * size + codes
    counts = np.bincount(cell, minlength=VIEWER_GROUPS * 2 * size).reshape(VIEWER_GROUPS, 2, size).astype(np.float64)
    folds = np.stack([counts[own::_FOLDS].sum(axis=0) for own in range(_FOLDS)])
    rate = positives / len(labels)
    weight = viewers / positives
    sure, share = _sure(folds, rate, weight)
    return ColumnPower(positives, _auc(counts, folds, rate, weight), sure, share, rate)


def _auc(counts: Floats, folds: Floats, rate: float, weight: float) -> Estimate:
    """The best AUC of the orders that a column gives, with an interval.

    Two lower ends are valid: that of the AUC's interval, and the area under the ROC curve through one point, a share of
    the positives found and of the negatives mistaken for them. The second is the tighter one where a column separates
    few positives without an error.

    Args:
        counts: impressions by viewer group, outcome and code, [VIEWER_GROUPS, 2, codes].
        folds: the same by fold, [folds, 2, codes].
        rate: the base rate.
        weight: viewers with a positive per positive.
    """
    best = max(_orders(counts, folds, rate), key=lambda ordered: float(metrics.auc(ordered.sum(axis=0))))
    total = best.sum(axis=0)
    found = intervals.auc_interval(
        float(metrics.auc(total)), metrics.auc(total - best), best[:, 1].sum(axis=1), best[:, 0].sum(axis=1), CONFIDENCE
    )
    lower = max(_area_through(region, folds, weight) for region in _telling_regions(folds, rate))
    return Estimate(found.value, min(found.value, max(found.lower, lower)), found.upper)


def _orders(counts: Floats, folds: Floats, rate: float) -> Iterator[Floats]:
    """Impressions by viewer group, outcome and ascending score, [VIEWER_GROUPS, 2, scores], for each order of codes.

    The orders are those of the values, ascending and descending, with the missing ones at either end, and the order of
    the rates that the codes have on the other fold.
    """
    first = np.roll(counts, 1, axis=2)
    yield from (counts, counts[:, :, ::-1], first, first[:, :, ::-1])
    size = counts.shape[2]
    scores = np.concatenate([_rates(folds[_other(own)], rate) for own in range(_FOLDS)])
    _, rank = np.unique(scores, return_inverse=True)
    by_rate = np.zeros((int(rank.max()) + 1, VIEWER_GROUPS, 2))
    for own in range(_FOLDS):
        # Codes of the same rate share a score.
        np.add.at(by_rate[:, own::_FOLDS], rank[own * size : (own + 1) * size], np.moveaxis(counts[own::_FOLDS], 2, 0))
    yield np.moveaxis(by_rate, 0, 2)


def _other(fold: int) -> int:
    return 1 - fold


def _rates(counts: Floats, rate: float) -> Floats:
    """The share of positives by code, [codes], starting from the base rate, from [2, codes]."""
    shares: Floats = (counts[1] + _PRIOR * rate) / (counts.sum(axis=0) + _PRIOR)
    return shares


def _telling_regions(folds: Floats, rate: float) -> Iterator[Region]:
    """Sets of codes that may tell the outcome."""
    yield [_rates(folds[_other(own)], rate) > rate for own in range(_FOLDS)]
    yield from _half_lines(folds, _youden)
    yield from _missing(folds)


def _sure(folds: Floats, rate: float, weight: float) -> tuple[Estimate, float]:
    """The largest set of codes that make the outcome almost certain: its share of positives, and its part of them."""
    best, most = UNDEFINED, 0.0
    for region in _sure_regions(folds, rate):
        negatives, positives = _inside(region, folds)
        share = positives / float(folds[:, 1].sum())
        if positives and share > most and positives / (positives + negatives) >= _SURE:
            best, most = _share_interval(positives, positives + negatives, weight), share
    return best, most


def _sure_regions(folds: Floats, rate: float) -> Iterator[Region]:
    yield [_rates(folds[_other(own)], rate) >= _SURE for own in range(_FOLDS)]
    yield from _half_lines(folds, _certain)
    yield from _missing(folds)


def _half_lines(folds: Floats, chosen: Callable[[Floats], int]) -> Iterator[Region]:
    """The codes of large values, and those of small ones, from the cut that `chosen` makes on the other fold."""
    present = folds[:, :, :-1]
    sizes = present.shape[2]
    above = [np.append(np.arange(sizes) >= chosen(present[_other(own)]), False) for own in range(_FOLDS)]
    yield above
    cuts = [sizes - chosen(present[_other(own)][:, ::-1]) for own in range(_FOLDS)]
    yield [np.append(np.arange(sizes) < cut, False) for cut in cuts]


def _missing(folds: Floats) -> Iterator[Region]:
    missing = np.arange(folds.shape[2]) == folds.shape[2] - 1
    yield [missing] * _FOLDS
    yield [~missing] * _FOLDS


def _youden(counts: Floats) -> int:
    """The first code of the half-line with the largest share of positives minus share of negatives, from [2, codes]."""
    above = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    totals = np.maximum(counts.sum(axis=1), 1.0)
    return int(np.argmax(above[1] / totals[1] - above[0] / totals[0]))


def _certain(counts: Floats) -> int:
    """The first code of the longest half-line in which positives have the share that makes them almost certain."""
    above = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    good = (above[1] > 0.0) & (above[1] >= _SURE * above.sum(axis=0))
    return int(np.argmax(good)) if good.any() else counts.shape[1]


def _inside(region: Region, folds: Floats) -> tuple[float, float]:
    """Negatives and positives of all folds inside a region."""
    negatives, positives = sum(folds[own][:, region[own]].sum(axis=1) for own in range(_FOLDS))
    return float(negatives), float(positives)


def _area_through(region: Region, folds: Floats, weight: float) -> float:
    """The lower end of the area under the ROC curve through the point of a region."""
    negatives, positives = _inside(region, folds)
    all_negatives, all_positives = folds.sum(axis=(0, 2))
    found = _share_interval(positives, all_positives, weight)
    mistaken = _share_interval(negatives, all_negatives, weight)
    return 0.5 * (1.0 + found.lower - mistaken.upper)


def _share_interval(part: float, total: float, weight: float) -> Estimate:
    """A share with the exact interval of Clopper and Pearson (1934), as if each impression were `weight` of one."""
    if not total:
        return UNDEFINED
    tail = 0.5 * (1.0 - CONFIDENCE)
    inside, outside = part * weight, (total - part) * weight
    lower = float(special.betaincinv(inside, outside + 1.0, tail)) if inside else 0.0
    upper = float(special.betaincinv(inside + 1.0, outside, 1.0 - tail)) if outside else 1.0
    return Estimate(part / total, lower, upper)
