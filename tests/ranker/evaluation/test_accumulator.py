"""The accumulator agrees with scikit-learn on every slice, and does not depend on batches and merges."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk

from ranker.config.documents import to_json
from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.session_rows import session_hashes
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.summary import SliceMetrics, summarize
from tests.ranker.evaluation.simulated import OBJECTIVES, UTILITY, Simulated, accumulate, simulate


@pytest.fixture(scope="module")
def data() -> Simulated:
    return simulate(rows=30_000, seed=3)


@pytest.fixture(scope="module")
def result(data: Simulated) -> list[SliceMetrics]:
    return list(summarize(accumulate(data, {"candidate": data.probabilities}, batch=1000)))


def _rows_of(data: Simulated, metrics: SliceMetrics) -> np.ndarray:
    rows = np.ones(data.rows, bool)
    for column, value in metrics.key:
        rows &= data.columns[column] == (b"" if value == "(missing)" else value.encode())
    return rows


def test_every_slice_and_cross_agrees_with_scikit_learn(data: Simulated, result: list[SliceMetrics]) -> None:
    assert len(result) == 1 + 3 + 4 + 12
    for metrics in result:
        rows = _rows_of(data, metrics)
        for o, name in enumerate(OBJECTIVES):
            labels, scores, ours = data.labels[o, rows], data.probabilities[o, rows], metrics.candidate[name]
            assert (ours.impressions, ours.positives) == (rows.sum(), labels.sum())
            assert ours.auc.value == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-3)
            assert ours.o_over_e.value == pytest.approx(labels.sum() / scores.sum(), abs=1e-9)
            assert ours.log_loss == pytest.approx(sk.log_loss(labels, scores), abs=1e-9)
            entropy = sk.log_loss(labels, np.full(len(labels), labels.mean()))
            assert ours.normalized_entropy.value == pytest.approx(ours.log_loss / entropy, abs=1e-9)
            assert ours.mean_prediction == pytest.approx(scores.mean(), abs=1e-12)


def test_overall_auc_is_good_to_a_ten_thousandth(data: Simulated, result: list[SliceMetrics]) -> None:
    for o, name in enumerate(OBJECTIVES):
        exact = sk.roc_auc_score(data.labels[o], data.probabilities[o])
        assert result[0].candidate[name].auc.value == pytest.approx(exact, abs=1e-4)


def _numbers(metrics: object) -> list[float]:
    """All numbers of metrics, in order; 0 where undefined."""
    return [float(text) for text in re.findall(r"-?\d[\d.e-]*", to_json(metrics).replace("null", "0"))]


@pytest.mark.slow
def test_an_outcome_that_was_not_observed_is_in_no_metric_of_its_objective(data: Simulated) -> None:
    few = data.rows_of(slice(0, 4000))
    gone = np.random.default_rng(0).random(few.rows) < 0.4
    labels = np.where([gone, np.zeros_like(gone)], np.nan, few.labels)
    models = {"candidate": few.probabilities, "baseline": few.probabilities[::-1]}
    gaps = replace(few, labels=labels)  # type: ignore[arg-type]
    found = list(summarize(accumulate(gaps, models, batch=700)))
    kept = few.rows_of(np.flatnonzero(~gone))
    of_kept = {m.key: m for m in summarize(accumulate(kept, {n: p[:, ~gone] for n, p in models.items()}))}
    of_all = list(summarize(accumulate(few, models)))
    for metrics, everything in zip(found, of_all, strict=True):
        expected = of_kept[metrics.key]
        assert metrics.total == everything.candidate["click"].impressions
        assert metrics.candidate["click"].impressions == expected.candidate["click"].impressions < metrics.total
        np.testing.assert_allclose(
            _numbers(metrics.candidate["click"]), _numbers(expected.candidate["click"]), rtol=1e-9
        )
        np.testing.assert_allclose(
            _numbers(metrics.comparison["click"]), _numbers(expected.comparison["click"]), rtol=1e-9
        )
        np.testing.assert_allclose(
            _numbers(metrics.candidate["share"]), _numbers(everything.candidate["share"]), rtol=1e-9
        )
    none = summarize(accumulate(replace(few, labels=few.labels & ~(gone * [[True], [False]])), models))
    assert found[0].utility == next(iter(none)).utility  # what was not observed adds nothing


def _assert_same(one: list[SliceMetrics], other: list[SliceMetrics]) -> None:
    assert [metrics.key for metrics in one] == [metrics.key for metrics in other]
    for a, b in zip(one, other, strict=True):
        assert a.utility == b.utility
        for name in a.candidate:
            left, right = a.candidate[name], b.candidate[name]
            assert (left.impressions, left.positives) == (right.impressions, right.positives)
            assert left.auc.value == right.auc.value
            for field in ("auc", "o_over_e"):
                for end in ("value", "lower", "upper"):
                    expected = getattr(getattr(right, field), end)
                    assert getattr(getattr(left, field), end) == pytest.approx(expected, rel=1e-9, nan_ok=True)
            assert left.ranking == right.ranking  # to the last bit, whatever the order
            assert left.log_loss == pytest.approx(right.log_loss, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [7, 512, 4999])
def test_batch_size_does_not_matter(batch: int) -> None:
    data = simulate(rows=5000, seed=4)
    models = {"candidate": data.probabilities}
    _assert_same(list(summarize(accumulate(data, models))), list(summarize(accumulate(data, models, batch=batch))))


def _part(data: Simulated, rows: slice) -> Accumulator:
    part = data.rows_of(rows)
    return accumulate(part, {"candidate": part.probabilities})


def _merged(*parts: Accumulator) -> Accumulator:
    total = Accumulator(parts[0].models, parts[0].utility, parts[0].index.specs)
    for part in parts:
        total.merge(part)
    return total


def test_merging_is_associative_and_commutative() -> None:
    data = simulate(rows=6000, seed=5)
    # The slice values are in a different order in each part, so their numbering differs.
    parts = [slice(0, 10), slice(10, 3000), slice(3000, None)]
    whole = list(summarize(_part(data, slice(None))))
    a, b, c = (_part(data, rows) for rows in parts)
    _assert_same(whole, list(summarize(_merged(a, b, c))))
    _assert_same(whole, list(summarize(_merged(c, _merged(b, a)))))


def test_merging_different_evaluations_is_refused() -> None:
    click = UtilityWeights({"click": 1.0}, k=10)
    for other in (replace(click, weights={"share": 1.0}), replace(click, weights={"click": 2.0}), replace(click, k=5)):
        with pytest.raises(ValueError, match="different evaluations"):
            Accumulator(["candidate"], click).merge(Accumulator(["candidate"], other))


def test_predictions_that_are_not_probabilities_are_counted_and_skipped(data: Simulated) -> None:
    broken = data.probabilities.copy()
    broken[1, :3] = [np.nan, -0.1, 1.5]
    accumulator = accumulate(data, {"candidate": broken}, slices=())
    assert accumulator.invalid.tolist() == [[0, 3]]
    overall = next(iter(summarize(accumulator)))
    assert overall.candidate["share"].impressions == data.rows - 3
    assert overall.candidate["click"].impressions == data.rows


def test_a_slice_column_with_too_many_values_is_dropped_even_if_only_the_merge_exceeds_the_limit() -> None:
    data = simulate(rows=2000, seed=6)
    data.columns["viewer"] = data.viewers
    models = {"candidate": data.probabilities}
    specs = (("device",), ("viewer",))
    accumulator = accumulate(data, models, slices=specs, max_slice_values=10, batch=100)
    assert accumulator.index.too_many == (("viewer",),)
    merged = Accumulator(["candidate"], UTILITY, (("device",), ("viewer",)), 10)
    merged.merge(accumulator)
    assert merged.index.too_many == (("viewer",),)
    result = list(summarize(accumulator))
    assert {len(metrics.key) and metrics.key[0][0] for metrics in result} == {0, "device"}
    _assert_same(result, list(summarize(merged)))
    _assert_same(result, list(summarize(accumulate(data, models, slices=(("device",),)))))


def test_cells_held_are_bounded_by_buckets_and_not_by_rows() -> None:
    data = simulate(rows=3000, seed=7)
    accumulator = Accumulator(["candidate"], UTILITY)
    groups, sessions = np.zeros(data.rows, np.int64), session_hashes(data.sessions)
    held = []
    for _ in range(3):
        accumulator.add(data.labels, data.probabilities[None], groups, sessions, {})
        held.append([len(table.items()[0]) for table in accumulator._tables()])
    assert held[0] == held[1] == held[2]
