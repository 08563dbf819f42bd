"""Sums over sessions, per slice and model, that the session metrics and their intervals are computed from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranker.config.objectives import Objective
from ranker.config.utility import Utility
from ranker.evaluation import ranking
from ranker.evaluation.buckets import VIEWER_GROUPS, Floats, Ints
from ranker.evaluation.session_rows import SessionRows


@dataclass(frozen=True)
class UtilityWeights:
    """The weights by which sessions are ranked and judged.

    Attributes:
        weights: objective → the factor of its probability, or of its outcome, in the utility of an impression.
        k: number of impressions at the top of a session that NDCG and the utility of the top look at.
    """

    weights: dict[str, float]
    k: int

    @staticmethod
    def of(utility: Utility, objectives: Sequence[Objective]) -> "UtilityWeights":
        """The weights of a config."""
        factors = utility.coefficients(objectives)
        return UtilityWeights({o.name: factor for o, factor in zip(objectives, factors, strict=True)}, utility.k)


@dataclass(frozen=True)
class PairSums:
    """Pairs of a positive and a negative of the same session, by viewer group; each [VIEWER_GROUPS].

    Attributes:
        won: pairs with the positive scored higher; a tied pair counts as half.
        pairs: all pairs.
        positives: positives in sessions with a pair.
        negatives: negatives in sessions with a pair.
        positive_pairs: sum over sessions of pairs × (positives - 1).
        negative_pairs: sum over sessions of pairs × (negatives - 1).
        sessions: sessions with a pair.
    """

    won: Floats
    pairs: Floats
    positives: Floats
    negatives: Floats
    positive_pairs: Floats
    negative_pairs: Floats
    sessions: Floats


@dataclass(frozen=True)
class MeanSums:
    """A value per session, by viewer group; each [VIEWER_GROUPS].

    Attributes:
        total: sum of the values.
        squares: sum of the squared values.
        sessions: sessions that have a value.
    """

    total: Floats
    squares: Floats
    sessions: Floats


@dataclass(frozen=True)
class SessionSums:
    """The sums of one model over the sessions of one slice.

    Attributes:
        pairs: by objective that the model predicts.
        ndcg: NDCG at k by the same objectives, over sessions of two impressions or more with a positive.
        utility_ndcg: NDCG at k of the utility, over sessions of two impressions or more, one of them with a utility
            above 0.
        top_utility: observed utility of the top k, over all sessions.
    """

    pairs: dict[str, PairSums]
    ndcg: dict[str, MeanSums]
    utility_ndcg: MeanSums
    top_utility: MeanSums


Cells = dict[str, npt.NDArray[np.float64]]  # attribute → [slice numbers, VIEWER_GROUPS]


def session_sums(
    rows: SessionRows,
    models: Sequence[str],
    utility: UtilityWeights,
    specs: Sequence[int],
    numbers: int,
) -> dict[int, dict[str, SessionSums]]:
    """Slice number → model → sums.

    On a slice, a session is its impressions that belong to the slice: they are ranked among themselves. A session
    whose impressions name several viewers counts for one of them.

    The pairs and the NDCG of an objective are those of the impressions with an observed outcome. In the utility, an
    outcome that was not observed adds nothing.

    A model that predicts no probability at all for an objective lacks it: its utility is that of the other objectives.

    Args:
        rows: the impressions.
        models: names of the models, in the order of the scores.
        utility: of the objectives, in the order of the labels.
        specs: the kinds of slices to compute, in addition to all impressions, whose slice number is 0.
        numbers: one more than the highest slice number.
    """
    if len(rows) == 0:
        return {}
    _, session = np.unique(rows.sessions(), return_inverse=True)
    everything = _Impressions(session.astype(np.int64), rows.groups(), rows.labels(), rows.observed())
    memberships = [np.zeros(len(rows), np.int64), *(rows.slices(spec) for spec in specs)]
    found: dict[int, dict[str, SessionSums]] = {}
    for m, model in enumerate(models):
        scores = rows.scores(m)
        predicted = np.flatnonzero(np.isfinite(scores).any(axis=1))
        valid = np.asarray(np.isfinite(scores[predicted]).all(axis=0))
        if len(predicted) == 0:
            continue
        ranked = _ScoredImpressions.of(everything, scores, valid, predicted, utility)
        for membership in memberships:
            for number, sums in ranked.sums(membership[valid], numbers):
                found.setdefault(number, {})[model] = sums
    return found


@dataclass(frozen=True)
class _Impressions:
    """session [rows], viewer group [rows], labels [objectives, rows] and whether they were observed."""

    session: Ints
    group: Ints
    labels: npt.NDArray[np.bool_]
    observed: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Ranks:
    """The scores and gains of one ranking as `dense_ranks`, each [rows], and the distinct gains."""

    scores: Ints
    gains: Ints
    values: Floats

    @staticmethod
    def of(scores: npt.NDArray[np.floating], gains: Floats) -> "_Ranks":
        gain_ranks, values = ranking.dense_ranks(gains)
        return _Ranks(ranking.dense_ranks(scores)[0], gain_ranks, values.astype(np.float64))


@dataclass(frozen=True)
class _ScoredImpressions:
    """The impressions that one model scored, with the ranks of its scores, which all slices share."""

    session: Ints
    group: Ints
    by_objective: dict[str, _Ranks]
    observed: dict[str, npt.NDArray[np.bool_]]
    by_utility: _Ranks
    k: int

    @staticmethod
    def of(
        impressions: _Impressions,
        scores: npt.NDArray[np.float32],
        valid: npt.NDArray[np.bool_],
        predicted: Ints,
        utility: UtilityWeights,
    ) -> "_ScoredImpressions":
        scores, labels = scores[:, valid], impressions.labels[:, valid].astype(np.float64)
        names, weights = list(utility.weights), np.array(list(utility.weights.values()))
        predicted_utility = _weighted(weights[predicted], scores[predicted].astype(np.float64))
        return _ScoredImpressions(
            session=impressions.session[valid],
            group=impressions.group[valid],
            by_objective={names[o]: _Ranks.of(scores[o], labels[o]) for o in predicted.tolist()},
            observed={names[o]: impressions.observed[o, valid] for o in predicted.tolist()},
            by_utility=_Ranks.of(predicted_utility, _weighted(weights, labels)),
            k=max(1, min(utility.k, int(np.bincount(impressions.session).max()))),  # of a longer top, the rest is empty
        )

    def sums(self, membership: Ints, numbers: int) -> Iterator[tuple[int, SessionSums]]:
        """Slice number and sums, for each slice of one kind."""
        inside = np.flatnonzero(membership >= 0)
        if len(inside) == 0:
            return
        group = np.full(int(self.session.max()) + 1, VIEWER_GROUPS, np.int64)
        np.minimum.at(group, self.session, self.group)
        segments = self._segments(inside, membership, group, numbers)
        pairs: dict[str, Cells] = {}
        ndcg: dict[str, Cells] = {}
        for name, ranks in self.by_objective.items():
            observed = inside[self.observed[name][inside]]
            of_objective = (
                segments if len(observed) == len(inside) else self._segments(observed, membership, group, numbers)
            )
            ranked = of_objective.ranked(ranks)
            pairs[name] = of_objective.pairs(ranked)
            ndcg[name] = of_objective.ndcg(ranked, of_objective.ideal(ranks), self.k)
        ranked = segments.ranked(self.by_utility)
        top = ranking.discounted_gains(ranked, np.ones(self.k))
        top_utility = segments.mean(top, np.ones(len(top), np.bool_))
        gainful = _Ranks(self.by_utility.scores, self.by_utility.gains, np.maximum(self.by_utility.values, 0.0))
        utility_ndcg = segments.ndcg(segments.ranked(gainful), segments.ideal(gainful), self.k)
        for number in np.unique(membership[inside]).tolist():
            yield (
                number,
                SessionSums(
                    pairs={name: PairSums(**_of_slice(cells, number)) for name, cells in pairs.items()},
                    ndcg={name: MeanSums(**_of_slice(cells, number)) for name, cells in ndcg.items()},
                    utility_ndcg=MeanSums(**_of_slice(utility_ndcg, number)),
                    top_utility=MeanSums(**_of_slice(top_utility, number)),
                ),
            )

    def _segments(self, inside: Ints, membership: Ints, group: Ints, numbers: int) -> "_Segments":
        """The segments of some rows; `group` is the viewer group of each session."""
        keys = self.session[inside] * numbers + membership[inside]
        distinct, segment = np.unique(keys, return_inverse=True)
        cell = distinct % numbers * VIEWER_GROUPS + group[distinct // numbers]
        return _Segments(inside, segment.astype(np.int64), cell, numbers)


@dataclass(frozen=True)
class _Segments:
    """One segment per session and slice of one kind.

    Attributes:
        inside: the rows that belong to a slice, [n].
        segment: of each of them, [n].
        cell: slice number × VIEWER_GROUPS + viewer group of each segment, [segments].
        numbers: one more than the highest slice number.
    """

    inside: Ints
    segment: Ints
    cell: Ints
    numbers: int

    def ranked(self, ranks: _Ranks) -> ranking.Ranked:
        """By descending score."""
        return ranking.rank_sessions(self.segment, ranks.scores[self.inside], ranks.gains[self.inside], ranks.values)

    def ideal(self, ranks: _Ranks) -> ranking.Ranked:
        """By descending gain."""
        gains = ranks.gains[self.inside]
        return ranking.rank_sessions(self.segment, gains, gains, ranks.values)

    def pairs(self, ranked: ranking.Ranked) -> Cells:
        """The attributes of PairSums."""
        won, positives, negatives = ranking.pair_counts(ranked)
        pairs = positives * negatives
        return {
            "won": self._summed(won),
            "pairs": self._summed(pairs),
            "positives": self._summed(np.where(pairs > 0, positives, 0)),
            "negatives": self._summed(np.where(pairs > 0, negatives, 0)),
            "positive_pairs": self._summed(pairs * (positives - 1)),
            "negative_pairs": self._summed(pairs * (negatives - 1)),
            "sessions": self._summed(pairs > 0),
        }

    def ndcg(self, ranked: ranking.Ranked, ideal: ranking.Ranked, k: int) -> Cells:
        """The attributes of MeanSums."""
        discounts = ranking.log_discounts(k)
        best = ranking.discounted_gains(ideal, discounts)
        defined = (best > 0.0) & (ranked.sizes > 1)
        ratio = np.divide(ranking.discounted_gains(ranked, discounts), best, out=np.zeros_like(best), where=defined)
        return self.mean(np.minimum(ratio, 1.0), defined)

    def mean(self, values: Floats, defined: npt.NDArray[np.bool_]) -> Cells:
        """The attributes of MeanSums."""
        return {
            "total": self._summed(values),
            "squares": self._summed(values**2),
            "sessions": self._summed(defined),
        }

    def _summed(self, values: npt.NDArray[np.generic]) -> Floats:
        size = self.numbers * VIEWER_GROUPS
        sums = np.bincount(self.cell, weights=values.astype(np.float64), minlength=size)
        return sums.astype(np.float64).reshape(self.numbers, VIEWER_GROUPS)


def _of_slice(cells: Mapping[str, Floats], number: int) -> dict[str, Floats]:
    return {attribute: values[number] for attribute, values in cells.items()}


def _weighted(weights: Floats, values: Floats) -> Floats:
    """The sum over objectives of weight × value, [rows]; added in the order of the objectives."""
    total = np.zeros(values.shape[1])
    for weight, of_objective in zip(weights, values, strict=True):
        total += weight * of_objective
    return total
