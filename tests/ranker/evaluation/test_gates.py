"""Gates refuse broken candidates, bless good ones, and do not fail because of noise."""

import numpy as np
import pytest
from scipy.special import expit, logit

from ranker.config.gates import Gate, Gates
from ranker.evaluation.buckets import Floats
from ranker.evaluation.gates import Verdict, blessed, judge
from ranker.evaluation.summary import BASELINE, CANDIDATE, summarize
from tests.ranker.evaluation.simulated import Simulated, accumulate, simulate

GATES = Gates(
    objective=Gate(min_auc=0.55, o_over_e=(0.8, 1.25), max_auc_drop=0.01, max_calibration_worsening=0.1),
    slice=Gate(o_over_e=(0.5, 2.0), max_auc_drop=0.05),
    slice_min_positives=100,
)


@pytest.fixture(scope="module")
def data() -> Simulated:
    return simulate(rows=40_000, seed=11, viewers=2000)


def _verdicts(
    data: Simulated, candidate: Floats, baseline: Floats | None = None, gates: Gates = GATES
) -> list[Verdict]:
    models: dict[str, Floats] = {CANDIDATE: candidate}
    if baseline is not None:
        models[BASELINE] = baseline
    return judge(list(summarize(accumulate(data, models), gates.confidence)), gates)


def _failed(verdicts: list[Verdict]) -> set[tuple[str, str, str]]:
    return {(v.objective, v.slice, v.metric) for v in verdicts if v.refuses}


def _with_share(data: Simulated, share: np.ndarray) -> np.ndarray:
    return np.stack([data.probabilities[0], share])


def test_a_calibrated_candidate_is_blessed_with_itself_as_baseline_and_without_one(data: Simulated) -> None:
    against_itself = _verdicts(data, data.probabilities, data.probabilities)
    assert blessed(against_itself)
    assert {v.metric for v in against_itself} == {"auc", "o_over_e", "auc_drop", "calibration_worsening"}
    first_ever = _verdicts(data, data.probabilities)
    assert blessed(first_ever)
    assert {v.metric for v in first_ever} == {"auc", "o_over_e"}


def test_a_miscalibrated_candidate_is_refused_for_that_objective_only(data: Simulated) -> None:
    verdicts = _verdicts(data, _with_share(data, np.minimum(1.0, data.probabilities[1] * 1.8)))
    assert ("share", "", "o_over_e") in _failed(verdicts)
    assert {objective for objective, _, _ in _failed(verdicts)} == {"share"}
    verdict = next(v for v in verdicts if v.metric == "o_over_e" and v.objective == "share" and not v.slice)
    assert verdict.upper < 0.8
    assert verdict.limit == (0.8, 1.25)
    assert "share: O/E is 0.5" in verdict.text
    assert "beyond the limit of 0.8 to 1.25" in verdict.text


def test_a_candidate_broken_on_one_slice_is_refused_and_the_slice_is_named(data: Simulated) -> None:
    broken = data.probabilities.copy()
    android = data.columns["device"] == b"android"
    # Half of the impressions three times too low and half too high: the sum over all slices is unchanged.
    broken[0, android] = expit(logit(broken[0, android]) - 1.6)
    ios = data.columns["device"] == b"ios"
    broken[0, ios] *= 1.0 + (data.probabilities[0, android] - broken[0, android]).sum() / broken[0, ios].sum()
    failed = _failed(_verdicts(data, broken, gates=Gates(objective=GATES.objective, slice=Gate(o_over_e=(0.7, 1.6)))))
    assert ("click", "device=android", "o_over_e") in failed
    assert not any(where == "" for _, where, _ in failed)


def test_a_candidate_with_shuffled_labels_is_refused(data: Simulated) -> None:
    random = np.random.default_rng(0)
    shuffled = np.stack([random.permutation(row) for row in data.probabilities])
    alone = _failed(_verdicts(data, shuffled))
    assert ("click", "", "auc") in alone
    assert ("share", "", "auc") in alone
    compared = _failed(_verdicts(data, shuffled, data.probabilities))
    assert {("click", "", "auc_drop"), ("share", "", "auc_drop")} <= compared


def test_a_candidate_worse_than_the_serving_model_is_refused_even_if_it_passes_the_absolute_gates(
    data: Simulated,
) -> None:
    noise = np.random.default_rng(1).normal(0, 0.8, data.probabilities.shape)
    worse = expit(logit(data.probabilities) + noise)
    worse *= data.probabilities.sum(axis=1, keepdims=True) / worse.sum(axis=1, keepdims=True)
    assert blessed(_verdicts(data, worse))
    assert ("click", "", "auc_drop") in _failed(_verdicts(data, worse, data.probabilities))
    assert blessed(_verdicts(data, data.probabilities, worse))


def test_calibration_worse_than_the_serving_models_is_refused(data: Simulated) -> None:
    drifted = np.stack([data.probabilities[0] * 1.2, data.probabilities[1]])
    assert blessed(_verdicts(data, drifted))
    assert _failed(_verdicts(data, drifted, data.probabilities)) == {("click", "", "calibration_worsening")}


def test_a_gate_does_not_fire_on_noise() -> None:
    few = simulate(rows=400, seed=21)
    verdicts = _verdicts(few, np.stack([few.probabilities[0], few.probabilities[1] * 1.7]))
    ratio = next(v for v in verdicts if (v.objective, v.slice, v.metric) == ("share", "", "o_over_e"))
    assert not 0.8 <= ratio.value <= 1.25
    assert ratio.passed
    assert "by no more than noise" in ratio.text


def test_a_slice_with_few_positives_is_reported_but_does_not_block(data: Simulated) -> None:
    broken = np.minimum(1.0, data.probabilities * np.array([[1.0], [6.0]]))
    gates = Gates(objective=Gate(), slice=GATES.slice, slice_min_positives=10_000)
    verdicts = _verdicts(data, broken, gates=gates)
    assert any(v.outcome == "failed" and not v.blocking and "reported only" in v.text for v in verdicts)
    assert blessed(verdicts)
    assert not blessed(_verdicts(data, broken, gates=Gates(objective=Gate(), slice=GATES.slice)))


def test_an_objective_without_positives_is_reported_and_neither_passes_nor_fires() -> None:
    data = simulate(rows=300, seed=31)
    data.labels[1] = False
    verdicts = _verdicts(data, data.probabilities * 0.01)
    auc = next(v for v in verdicts if (v.objective, v.slice, v.metric) == ("share", "", "auc"))
    assert auc.outcome == "not evaluated"
    assert not auc.passed
    assert not auc.blocking
    assert "undefined" in auc.text


def test_thousands_expected_and_none_observed_is_refused(data: Simulated) -> None:
    silent = Simulated(data.labels & np.array([[True], [False]]), data.probabilities, data.viewers, data.columns)
    assert ("share", "", "o_over_e") in _failed(_verdicts(silent, silent.probabilities))


def test_an_override_replaces_the_gate_of_its_objective(data: Simulated) -> None:
    strict = Gates(objective=Gate(), overrides={"share": Gate(min_auc=0.99)}, slice=None)
    assert _failed(_verdicts(data, data.probabilities, gates=strict)) == {("share", "", "auc")}
