"""Session metrics of an evaluation agree with scikit-learn on every slice, however the impressions are split."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.buckets import Floats, viewer_groups
from ranker.evaluation.intervals import jackknife_variance, student_quantile
from ranker.evaluation.session_rows import SessionRows, session_hashes
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.summary import BASELINE, CANDIDATE, SliceMetrics, UtilityEvaluation, summarize
from tests.ranker.evaluation.simulated import OBJECTIVES, SLICES, UTILITY, Simulated, accumulate, simulate

NEGATIVE = UtilityWeights({"click": 0.5, "share": -2.0}, k=4)


def with_ties(seed: int, rows: int = 5000) -> Simulated:
    """Simulated impressions with sessions of 1 to some 60 impressions and scores of few distinct values."""
    data = simulate(rows=rows, seed=seed)
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 61, size=rows)
    session = np.repeat(np.arange(rows), sizes)[:rows][random.permutation(rows)]
    coarse = np.where(session % 3 == 0, data.probabilities.round(1), data.probabilities.round(4)).astype(np.float32)
    names = np.array([f"session-{s}".encode() for s in session], dtype=object)
    viewers = np.array([f"viewer-{s % 90}".encode() for s in session], dtype=object)
    return replace(data, probabilities=coarse.astype(np.float64), sessions=names, viewers=viewers)


def rows_of(data: Simulated, metrics: SliceMetrics) -> np.ndarray:
    rows = np.ones(data.rows, bool)
    for column, value in metrics.key:
        rows &= data.columns[column] == (b"" if value == "(missing)" else value.encode())
    return rows


def sessions_of(data: Simulated, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The impressions of each session among some rows."""
    order = np.flatnonzero(rows)
    names = data.sessions[order].astype(str)
    for name in np.unique(names):
        yield order[names == name]


def exact_gauc(data: Simulated, o: int, rows: np.ndarray) -> tuple[float, int]:
    """From scikit-learn, and the number of sessions with a pair."""
    aucs, pairs = [], []
    for own in sessions_of(data, rows):
        labels = data.labels[o, own]
        if 0 < labels.sum() < len(labels):
            aucs.append(roc_auc_score(labels, data.probabilities[o, own]))
            pairs.append(labels.sum() * (~labels).sum())
    return (float(np.average(aucs, weights=pairs)), len(aucs)) if aucs else (math.nan, 0)


def exact_ndcg(data: Simulated, gains: Floats, scores: Floats, k: int, rows: np.ndarray) -> tuple[float, int]:
    """From scikit-learn, over sessions of two impressions or more with a gain, and their number."""
    found = [
        ndcg_score(gains[own][None], scores[own][None], k=k)
        for own in sessions_of(data, rows)
        if len(own) > 1 and gains[own].max() > 0.0
    ]
    return (float(np.mean(found)), len(found)) if found else (math.nan, 0)


def expected_top(scores: Floats, gains: Floats, k: int) -> float:
    """The mean gain of the top k over all orders of tied impressions."""
    order = np.argsort(-scores, kind="stable")
    places, total = k, 0.0
    for value in np.unique(-scores):
        tied = gains[order][-scores[order] == value]
        total += tied.mean() * min(places, len(tied))
        places -= min(places, len(tied))
    return total


# The last k would take 8 GB if every place of the top had a discount.
@pytest.mark.slow
@pytest.mark.parametrize("utility", [UTILITY, NEGATIVE, replace(UTILITY, k=10**9)])
def test_every_slice_agrees_with_scikit_learn(utility: UtilityWeights) -> None:
    data = with_ties(81, rows=1500)
    weights = np.array(list(utility.weights.values()))
    scores = weights[0] * data.probabilities[0] + weights[1] * data.probabilities[1]
    observed = weights[0] * data.labels[0] + weights[1] * data.labels[1]
    assert (observed.min() < 0.0) == (utility is NEGATIVE)
    accumulator = _accumulate(data, {CANDIDATE: data.probabilities}, utility, batch=700)
    for metrics in summarize(accumulator):
        rows = rows_of(data, metrics)
        for o, name in enumerate(OBJECTIVES):
            ours = metrics.candidate[name].ranking
            gauc, gauc_sessions = exact_gauc(data, o, rows)
            labels = data.labels[o].astype(np.float64)
            ndcg, ndcg_sessions = exact_ndcg(data, labels, data.probabilities[o], utility.k, rows)
            assert (ours.gauc_sessions, ours.ndcg_sessions) == (gauc_sessions, ndcg_sessions)
            assert ours.gauc.value == pytest.approx(gauc, abs=1e-12, nan_ok=True)
            assert ours.ndcg.value == pytest.approx(ndcg, abs=1e-12, nan_ok=True)
        found = metrics.utility.candidate
        ndcg, ndcg_sessions = exact_ndcg(data, np.maximum(observed, 0.0), scores, utility.k, rows)
        assert found.ndcg_sessions == ndcg_sessions
        assert found.ndcg.value == pytest.approx(ndcg, abs=1e-12)
        tops = [expected_top(scores[own], observed[own], utility.k) for own in sessions_of(data, rows)]
        assert found.sessions == len(tops)
        assert found.top_utility.value == pytest.approx(np.mean(tops), abs=1e-12)


def _accumulate(data: Simulated, models: dict[str, Floats], utility: UtilityWeights, batch: int) -> Accumulator:
    accumulator = Accumulator(list(models), utility, SLICES)
    _add(accumulator, data, models, batch)
    return accumulator


def _add(accumulator: Accumulator, data: Simulated, models: dict[str, Floats], batch: int) -> None:
    for start in range(0, data.rows, batch):
        rows = slice(start, start + batch)
        accumulator.add(
            data.labels[:, rows],
            np.stack(list(models.values()))[:, :, rows],
            viewer_groups(data.viewers[rows]),
            session_hashes(data.sessions[rows]),
            {name: column[rows] for name, column in data.columns.items()},
        )


def _values(accumulator: Accumulator) -> list[object]:
    return [
        (metrics.key, metrics.utility, [m.ranking for m in (*metrics.candidate.values(), *metrics.baseline.values())])
        for metrics in summarize(accumulator)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_sessions_split_over_batches_and_files_in_any_order_count_as_one(seed: int) -> None:
    data = with_ties(90 + seed, rows=3000)
    models: dict[str, Floats] = {CANDIDATE: data.probabilities, BASELINE: data.probabilities**2}
    whole = _values(_accumulate(data, models, NEGATIVE, batch=3000))
    random = np.random.default_rng(seed)
    shuffled = random.permutation(data.rows)
    parts = np.split(shuffled, np.sort(random.integers(1, data.rows, size=6)))
    total = Accumulator(list(models), NEGATIVE, SLICES)
    for part in parts:
        some = data.rows_of(part)
        own: dict[str, Floats] = {CANDIDATE: some.probabilities, BASELINE: some.probabilities**2}
        other = Accumulator(list(models), NEGATIVE, SLICES)
        _add(other, some, own, batch=int(random.integers(5, 900)))
        total.merge(other)
    assert _values(total) == whole


def test_a_slice_that_is_dropped_does_not_change_the_others() -> None:
    data = with_ties(99)
    data.columns["viewer"] = data.viewers
    models: dict[str, Floats] = {CANDIDATE: data.probabilities}
    kept = list(summarize(accumulate(data, models, slices=(("device",),))))
    crowded = accumulate(data, models, slices=(("viewer",), ("device",)), max_slice_values=20, batch=100)
    for one, other in zip(kept, summarize(crowded), strict=True):
        assert one.utility == other.utility
        assert [m.ranking for m in one.candidate.values()] == [m.ranking for m in other.candidate.values()]


def test_impressions_without_a_session_are_counted_and_left_out() -> None:
    data = with_ties(7)
    with_session = data.rows_of(np.arange(4000))
    data.sessions[4000:] = b""
    accumulator = accumulate(data, {CANDIDATE: data.probabilities})
    assert accumulator.without_session == 1000
    found = next(iter(summarize(accumulator)))
    expected = next(iter(summarize(accumulate(with_session, {CANDIDATE: with_session.probabilities}))))
    assert found.utility == expected.utility
    assert found.candidate["click"].ranking == expected.candidate["click"].ranking
    assert found.candidate["click"].impressions == 5000


def test_without_any_session_all_is_undefined() -> None:
    data = simulate(rows=500, seed=8)
    data.sessions[:] = b""
    models: dict[str, Floats] = {CANDIDATE: data.probabilities, BASELINE: data.probabilities}
    for metrics in summarize(accumulate(data, models)):
        assert metrics.utility.candidate.sessions == 0
        assert not metrics.utility.candidate.top_utility.defined
        assert not metrics.candidate["click"].ranking.gauc.defined
        assert not metrics.comparison["click"].gauc_drop.defined
        assert metrics.utility.comparison is not None
        assert not metrics.utility.comparison.utility_drop.defined


@pytest.mark.parametrize("value", [False, True])
def test_sessions_whose_outcomes_are_all_the_same(value: bool) -> None:
    data = simulate(rows=500, seed=9)
    data.labels[:] = value
    metrics = next(iter(summarize(accumulate(data, {CANDIDATE: data.probabilities}))))
    click, utility = metrics.candidate["click"].ranking, metrics.utility.candidate
    assert not click.gauc.defined
    assert click.gauc_sessions == 0
    assert click.ndcg.defined == value
    assert utility.ndcg.defined == value
    if value:  # any order is the best one
        assert click.ndcg.value == utility.ndcg.value == 1.0
        assert click.ndcg.lower < 1.0
    else:
        assert utility.top_utility.value == 0.0
        assert utility.top_utility.lower < 0.0 < utility.top_utility.upper


def test_a_model_that_predicts_no_probability_is_measured_without_those_impressions() -> None:
    data = simulate(rows=3000, seed=10)
    broken = data.probabilities.copy()
    broken[1, :500] = np.nan
    models: dict[str, Floats] = {CANDIDATE: data.probabilities, BASELINE: broken}
    metrics = next(iter(summarize(accumulate(data, models))))
    alone = next(iter(summarize(accumulate(data, {CANDIDATE: data.probabilities}))))
    rest = data.rows_of(slice(500, None))
    expected = next(iter(summarize(accumulate(rest, {CANDIDATE: rest.probabilities}))))
    assert metrics.utility.candidate == alone.utility.candidate
    assert metrics.utility.baseline == expected.utility.candidate
    assert metrics.baseline["click"].ranking == expected.candidate["click"].ranking


def test_a_baseline_that_lacks_an_objective_ranks_by_the_others() -> None:
    data = simulate(rows=3000, seed=17)
    lacking = data.probabilities.copy()
    lacking[1] = np.nan
    models: dict[str, Floats] = {CANDIDATE: data.probabilities, BASELINE: lacking}
    metrics = next(iter(summarize(accumulate(data, models), compared=["click"])))
    assert metrics.baseline.keys() == metrics.comparison.keys() == {"click"}
    assert metrics.comparison["click"].gauc_drop.value == metrics.comparison["click"].ndcg_drop.value == 0.0
    assert metrics.baseline["click"].ranking == metrics.candidate["click"].ranking
    observed = UTILITY.weights["click"] * data.labels[0] + UTILITY.weights["share"] * data.labels[1]
    every = np.ones(data.rows, bool)
    tops = [expected_top(lacking[0, own], observed[own], UTILITY.k) for own in sessions_of(data, every)]
    assert metrics.utility.of(BASELINE).top_utility.value == pytest.approx(np.mean(tops), abs=1e-12)
    assert metrics.utility.comparison is not None
    assert metrics.utility.comparison.utility_drop.value < 0.0  # who knows shares finds them


@pytest.mark.slow
def test_the_jackknife_leaves_out_the_same_viewers_from_both_models() -> None:
    data = simulate(rows=6000, seed=12)
    random = np.random.default_rng(12)
    worse = np.clip(data.probabilities * np.exp(random.normal(0.0, 0.7, data.probabilities.shape)), 0.0, 0.99)
    models: dict[str, Floats] = {CANDIDATE: worse.astype(np.float32).astype(np.float64), BASELINE: data.probabilities}
    overall = next(iter(summarize(accumulate(data, models))))
    groups = viewer_groups(data.viewers)

    def measured(left_out: int, pick: Callable[[UtilityEvaluation], float]) -> float:
        rows = np.flatnonzero(groups != left_out)
        some = data.rows_of(rows)
        own: dict[str, Floats] = {name: scores[:, rows] for name, scores in models.items()}
        return pick(next(iter(summarize(accumulate(some, own, slices=())))).utility)

    comparison = overall.utility.comparison
    assert comparison is not None

    def relative_drop(utility: UtilityEvaluation) -> float:
        ours, theirs = utility.candidate.top_utility.value, utility.of(BASELINE).top_utility.value
        return (theirs - ours) / theirs

    def ndcg_drop(utility: UtilityEvaluation) -> float:
        return utility.of(BASELINE).ndcg.value - utility.candidate.ndcg.value

    for pick, found in ((relative_drop, comparison.utility_drop), (ndcg_drop, comparison.ndcg_drop)):
        without = np.array([measured(group, pick) for group in range(32)])
        half = student_quantile(0.95, 32) * jackknife_variance(without, np.ones(32, bool)) ** 0.5
        assert found.value == pytest.approx(pick(overall.utility), abs=1e-12)
        assert (found.lower, found.upper) == pytest.approx((found.value - half, found.value + half), abs=1e-9)
    assert comparison.ndcg_drop.lower > 0.0
    assert overall.comparison["click"].gauc_drop.lower > 0.0
    assert overall.comparison["click"].ndcg_drop.value > 0.0
    assert overall.comparison["click"].gauc_drop.value == pytest.approx(
        overall.baseline["click"].ranking.gauc.value - overall.candidate["click"].ranking.gauc.value
    )


def test_the_same_model_twice_differs_by_exactly_nothing() -> None:
    data = simulate(rows=2000, seed=13)
    for metrics in summarize(accumulate(data, {CANDIDATE: data.probabilities, BASELINE: data.probabilities})):
        assert metrics.utility.comparison is not None
        for drop in (
            metrics.utility.comparison.utility_drop,
            metrics.utility.comparison.ndcg_drop,
            *(c.gauc_drop for c in metrics.comparison.values()),
            *(c.ndcg_drop for c in metrics.comparison.values()),
        ):
            assert not drop.defined or (drop.value == 0.0 and not drop.lower > 0.0)


def test_a_negative_baseline_utility_is_a_gain_where_the_candidate_has_more() -> None:
    data = simulate(rows=4000, seed=14)
    utility = UtilityWeights({"click": -1.0, "share": -1.0}, k=3)
    models: dict[str, Floats] = {CANDIDATE: data.probabilities, BASELINE: 1.0 - data.probabilities}
    metrics = next(iter(summarize(_accumulate(data, models, utility, batch=4000))))
    assert metrics.utility.of(BASELINE).top_utility.value < metrics.utility.candidate.top_utility.value < 0.0
    assert metrics.utility.comparison is not None
    assert metrics.utility.comparison.utility_drop.upper < 0.0


@pytest.mark.slow
def test_intervals_cover_the_truth_where_viewers_differ() -> None:
    big = simulate(rows=400_000, seed=0, viewer_spread=0.8, viewers=30_000)
    truth = next(iter(summarize(accumulate(big, {CANDIDATE: big.probabilities}, slices=()))))
    runs, hits = 120, {"gauc": 0, "ndcg": 0, "top": 0, "utility ndcg": 0}
    for seed in range(1, runs + 1):
        data = simulate(rows=3000, seed=seed, viewer_spread=0.8, viewers=225)
        found = next(iter(summarize(accumulate(data, {CANDIDATE: data.probabilities}, slices=()))))
        for name, pick in (
            ("gauc", lambda m: m.candidate["click"].ranking.gauc),
            ("ndcg", lambda m: m.candidate["click"].ranking.ndcg),
            ("top", lambda m: m.utility.candidate.top_utility),
            ("utility ndcg", lambda m: m.utility.candidate.ndcg),
        ):
            hits[name] += pick(found).lower <= pick(truth).value <= pick(found).upper
    assert all(count / runs >= 0.88 for count in hits.values()), hits


def test_beyond_the_limit_the_same_complete_sessions_are_kept_in_any_order() -> None:
    data = with_ties(15, rows=6000)
    models: dict[str, Floats] = {CANDIDATE: data.probabilities}
    accumulator = accumulate(data, models, max_rows=2000, batch=250)
    assert accumulator.session_share == 0.25
    hashes = session_hashes(data.sessions)
    kept = data.rows_of(np.flatnonzero(hashes >> np.uint64(62) == 0))
    assert 1000 < kept.rows <= 2000
    expected = list(summarize(accumulate(kept, {CANDIDATE: kept.probabilities})))
    backwards = data.rows_of(np.arange(data.rows)[::-1])
    merged = accumulate(backwards, {CANDIDATE: backwards.probabilities}, max_rows=2000, batch=5000)
    parts = accumulate(data.rows_of(slice(0)), {CANDIDATE: data.probabilities[:, :0]}, max_rows=2000)
    for start in range(0, data.rows, 1500):
        part = data.rows_of(slice(start, start + 1500))
        parts.merge(accumulate(part, {CANDIDATE: part.probabilities}, max_rows=2000))
    for sampled in (accumulator, merged, parts):
        found = list(summarize(sampled))
        by_key = {metrics.key: metrics for metrics in found}
        assert found[0].candidate["click"].impressions == data.rows
        for metrics in expected:
            assert by_key[metrics.key].utility == metrics.utility
            assert by_key[metrics.key].candidate["share"].ranking == metrics.candidate["share"].ranking


def test_a_row_takes_the_bytes_that_are_documented() -> None:
    assert SessionRows(2, 6, 3)._row.itemsize == 9 + 2 + 4 * 2 * 6 + 4 * 3
    assert SessionRows(1, 9, 0)._row.itemsize == 9 + 2 * 2 + 4 * 9


def test_nothing_can_be_added_to_a_closed_accumulator() -> None:
    data = simulate(rows=100, seed=16)
    accumulator = accumulate(data, {CANDIDATE: data.probabilities})
    before = list(summarize(accumulator))
    assert [m.utility for m in summarize(accumulator)] == [m.utility for m in before]
    with pytest.raises(ValueError, match="closed"):
        _add(accumulator, data, {CANDIDATE: data.probabilities}, 100)
    with pytest.raises(ValueError, match="closed"):
        Accumulator([CANDIDATE], UTILITY, SLICES).merge(accumulator)


def test_hashes_of_sessions_are_those_of_any_process_and_none_is_missing() -> None:
    sessions = np.array([b"a", b"\xff\xfe", b"", b"a", "é".encode()], dtype=object)
    hashes = session_hashes(sessions)
    assert hashes[0] == hashes[3] == 13950350942979735504
    assert hashes[2] == 0
    assert len(set(hashes.tolist())) == 4
    assert session_hashes(sessions[:0]).tolist() == []


def test_a_ranking_goes_by_the_predictions_without_the_effect_of_exposure() -> None:
    data = with_ties(seed=5)
    random = np.random.default_rng(6)
    examination = random.uniform(0.1, 1.0, (1, data.rows))

    def evaluated(predictions: Floats, exposed: Floats | None) -> SliceMetrics:
        accumulator = Accumulator([CANDIDATE], UTILITY)
        groups, sessions = viewer_groups(data.viewers), session_hashes(data.sessions)
        accumulator.add(data.labels, predictions[np.newaxis], groups, sessions, {}, exposed)
        return next(summarize(accumulator))

    plain = evaluated(data.probabilities, None)
    exposed = evaluated(data.probabilities * examination, examination)
    unaware = evaluated(data.probabilities * examination, None)
    for name in OBJECTIVES:
        # Rounding may break ties.
        expected = plain.candidate[name].ranking.gauc.value
        assert exposed.candidate[name].ranking.gauc.value == pytest.approx(expected, abs=1e-3)
        assert abs(unaware.candidate[name].ranking.gauc.value - expected) > 5e-3
        assert exposed.candidate[name].o_over_e == unaware.candidate[name].o_over_e
        assert exposed.candidate[name].auc == unaware.candidate[name].auc
