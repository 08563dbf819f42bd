"""Gates on how sessions are ranked: floors have to be shown, and drops are compared paired by viewer."""

import re
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from scipy.special import expit, logit

from ranker.config.gates import Gate, Gates, UtilityGate
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.buckets import Floats
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.gates import judge
from ranker.evaluation.sessions import Sessions
from ranker.evaluation.summary import BASELINE, CANDIDATE, summarize
from ranker.evaluation.verdict import BY_UTILITY, TOO_FEW_SESSIONS, Verdict, blessed
from tests.ranker.evaluation.simulated import SLICES, Simulated, accumulate, simulate

NO_LIMIT = Gate(max_normalized_entropy=None)
NONE = Gates(objective=NO_LIMIT, slice=None, utility=UtilityGate())


@pytest.fixture(scope="module")
def data() -> Simulated:
    return simulate(rows=12_000, seed=61)


def evaluated(
    data: Simulated,
    candidate: Floats,
    baseline: Floats | None = None,
    gates: Gates = NONE,
    slices: tuple[tuple[str, ...], ...] = (),
) -> Evaluation:
    models: dict[str, Floats] = {CANDIDATE: candidate}
    if baseline is not None:
        models[BASELINE] = baseline
    accumulator = accumulate(data, models, slices)
    metrics = list(summarize(accumulator, gates.confidence))
    return Evaluation.of(metrics, judge(metrics, gates), Baseline(), gates.confidence, Sessions.of(accumulator))


def only(verdicts: tuple[Verdict, ...], objective: str, where: str = "") -> Verdict:
    [found] = [v for v in verdicts if (v.objective, v.slice) == (objective, where)]
    return found


def noisy(data: Simulated, spread: float, seed: int = 1) -> Floats:
    noise = np.random.default_rng(seed).normal(0.0, spread, data.probabilities.shape)
    return expit(logit(data.probabilities) + noise)


def session_means(data: Simulated, scores: Floats) -> Floats:
    """The mean score of each impression's session: it orders sessions, and no impressions within one."""
    _, session = np.unique(data.sessions.astype(str), return_inverse=True)
    counts = np.bincount(session)
    return np.stack([(np.bincount(session, weights=row) / counts)[session] for row in scores])


def test_a_floor_on_gauc_has_to_be_shown(data: Simulated) -> None:
    floor = replace(NONE, objective=replace(NO_LIMIT, min_gauc=0.6))
    good = only(evaluated(data, data.probabilities, gates=floor).verdicts, "click")
    assert (good.metric, good.outcome, good.limit) == ("gauc", "passed", (0.6, None))
    assert good.lower > 0.6
    assert good.text.startswith("click: AUC within sessions is 0.7")
    flat = only(evaluated(data, session_means(data, data.probabilities), gates=floor).verdicts, "click")
    assert (flat.value, flat.outcome, flat.refuses) == (0.5, "failed", True)
    close = replace(NONE, objective=replace(NO_LIMIT, min_gauc=round(good.value, 3) - 0.001))
    undecided = only(evaluated(data, data.probabilities, gates=close).verdicts, "click")
    assert (undecided.outcome, undecided.refuses) == ("too few", False)
    assert (undecided.positives_needed or 0) > data.labels[0].sum()


def test_a_floor_on_ndcg_has_to_be_shown(data: Simulated) -> None:
    floor = replace(NONE, objective=replace(NO_LIMIT, min_ndcg=0.3))
    evaluation = evaluated(data, data.probabilities, gates=floor)
    for verdict in (only(evaluation.verdicts, name) for name in evaluation.objectives):
        ndcg = evaluation.objectives[verdict.objective].candidate.ranking.ndcg
        assert (verdict.metric, verdict.estimate, verdict.limit) == ("ndcg", ndcg, (0.3, None))
        expected = "passed" if ndcg.lower >= 0.3 else "failed" if ndcg.upper < 0.3 else "too few"
        assert verdict.outcome == expected
    click = evaluation.objectives["click"].candidate.ranking.ndcg
    for limit, outcome in ((click.lower, "passed"), (click.value, "too few"), (click.upper + 1e-9, "failed")):
        limited = replace(NONE, objective=replace(NO_LIMIT, min_ndcg=limit))
        assert only(evaluated(data, data.probabilities, gates=limited).verdicts, "click").outcome == outcome


def test_floors_on_the_utility_hold_without_a_serving_model(data: Simulated) -> None:
    measured = evaluated(data, data.probabilities).utility.candidate
    top, ndcg = measured.top_utility, measured.ndcg
    for gate, metric, outcome in (
        (UtilityGate(min_utility=top.lower), "top_utility", "passed"),
        (UtilityGate(min_utility=top.value), "top_utility", "too few"),
        (UtilityGate(min_utility=top.upper + 1e-9), "top_utility", "failed"),
        (UtilityGate(min_ndcg=ndcg.lower), "utility_ndcg", "passed"),
        (UtilityGate(min_ndcg=ndcg.value), "utility_ndcg", "too few"),
        (UtilityGate(min_ndcg=ndcg.upper + 1e-9), "utility_ndcg", "failed"),
    ):
        evaluation = evaluated(data, data.probabilities, gates=replace(NONE, utility=gate))
        [verdict] = evaluation.verdicts
        assert (verdict.objective, verdict.metric, verdict.outcome) == (BY_UTILITY, metric, outcome)
        assert evaluation.blessed == (outcome != "failed")
        assert (TOO_FEW_SESSIONS in verdict.text) == (outcome == "too few")
        label = "utility of the top" if metric == "top_utility" else "NDCG"
        assert verdict.text.startswith(f"utility: {label} is ")
        strict = evaluated(data, data.probabilities, gates=replace(NONE, utility=gate, too_few="block"))
        assert strict.blessed == (outcome == "passed")


@pytest.mark.parametrize("metric", ["top_utility", "utility_ndcg"])
def test_a_floor_on_the_utility_says_how_many_sessions_would_decide(metric: str) -> None:
    def judged(rows: int, floor: float) -> tuple[Verdict, int]:
        data = simulate(rows=rows, seed=61)
        gate = UtilityGate(min_utility=floor) if metric == "top_utility" else UtilityGate(min_ndcg=floor)
        evaluation = evaluated(data, data.probabilities, gates=replace(NONE, utility=gate))
        of = evaluation.utility.candidate
        [verdict] = evaluation.verdicts
        return verdict, of.sessions if metric == "top_utility" else of.ndcg_sessions

    wide, _ = judged(3_000, 0.0)
    floor = wide.value - (wide.value - wide.lower) / 2  # half as far away as the interval is wide
    verdict, sessions = judged(3_000, floor)
    assert verdict.outcome == "too few"
    found = re.search(r"too few sessions to judge \(([\d,]+); about ([\d,]+) would do\)$", verdict.text)
    assert found is not None
    assert int(found[1].replace(",", "")) == sessions
    assert int(found[2].replace(",", "")) == pytest.approx(4 * sessions, rel=0.1)


@pytest.mark.slow
def test_a_random_order_never_passes_a_floor_however_few_the_positives() -> None:
    floor = replace(NONE, objective=replace(NO_LIMIT, min_gauc=0.55))
    outcomes = []
    for seed in range(60):
        data = simulate(rows=1_000, seed=seed)  # about 20 shares
        coin = np.random.default_rng(seed).random(data.probabilities.shape)
        outcomes.append(only(evaluated(data, coin, gates=floor).verdicts, "share").outcome)
    assert "passed" not in outcomes
    assert outcomes.count("too few") > 30


def test_a_candidate_that_orders_within_sessions_worse_is_refused_although_its_auc_is_as_good(data: Simulated) -> None:
    """Half of the order moves from within the sessions to between them, which a feed does not profit from."""
    limited = replace(
        NONE, objective=replace(NO_LIMIT, max_auc_drop=0.01, max_gauc_drop=0.02, max_ndcg_drop=0.02), slice=None
    )
    _, session = np.unique(data.sessions.astype(str), return_inverse=True)
    rates = np.array([np.bincount(session, weights=row) / np.bincount(session) for row in data.labels])[:, session]
    between = expit(logit(noisy(data, 1.5)) + 9.0 * (rates - data.labels.mean(axis=1, keepdims=True)))
    verdicts = evaluated(data, between, data.probabilities, limited).verdicts
    found = {v.metric: v.outcome for v in verdicts if v.objective == "click"}
    assert found == {"auc_drop": "passed", "gauc_drop": "failed", "ndcg_drop": "failed"}
    refused = next(v for v in verdicts if v.refuses)
    assert "drop of AUC within sessions compared with the baseline is 0." in refused.text
    assert refused.lower > 0.02


@pytest.mark.slow
def test_the_same_model_passes_limits_of_zero_and_noise_is_no_drop(data: Simulated) -> None:
    strict = replace(
        NONE,
        objective=replace(NO_LIMIT, max_gauc_drop=0.0, max_ndcg_drop=0.0),
        utility=UtilityGate(max_utility_drop=0.0, max_ndcg_drop=0.0),
    )
    same = evaluated(data, data.probabilities, data.probabilities, strict)
    assert {v.outcome for v in same.verdicts} == {"passed"}
    assert {v.metric for v in same.verdicts} == {"gauc_drop", "ndcg_drop", "utility_drop", "utility_ndcg_drop"}
    refused = sum(
        not blessed(evaluated(data, noisy(data, 0.1, seed), noisy(data, 0.1, 100 + seed), strict).verdicts)
        for seed in range(10)
    )
    assert refused <= 3  # six intervals of 95 % on two models that are equally good


def test_a_candidate_that_loses_utility_at_the_top_is_refused(data: Simulated) -> None:
    limited = replace(NONE, utility=UtilityGate(max_utility_drop=0.05, max_ndcg_drop=0.05))
    evaluation = evaluated(data, 1.0 - data.probabilities, data.probabilities, limited)
    drop, ndcg_drop = evaluation.verdicts
    assert (drop.objective, drop.metric, drop.outcome, drop.limit) == (
        BY_UTILITY,
        "utility_drop",
        "failed",
        (None, 0.05),
    )
    assert drop.text.startswith("utility: share of the baseline's utility of the top that is lost is 0.")
    assert drop.text.endswith("beyond the limit of at most 0.05")
    assert (ndcg_drop.metric, ndcg_drop.outcome) == ("utility_ndcg_drop", "failed")
    assert not evaluation.blessed
    assert evaluation.state(BY_UTILITY) == "refused"
    assert evaluation.gate(BY_UTILITY) == "refused: utility_drop, utility_ndcg_drop"
    better = evaluated(data, data.probabilities, 1.0 - data.probabilities, limited)
    assert better.blessed
    assert better.state(BY_UTILITY) == "passed"
    assert "refused: utility_drop" in str(evaluation)


def test_without_a_serving_model_the_utility_has_no_gate(data: Simulated) -> None:
    evaluation = evaluated(data, data.probabilities, gates=replace(NONE, utility=UtilityGate(max_utility_drop=0.0)))
    assert evaluation.verdicts == ()
    assert evaluation.gate(BY_UTILITY) == "no gate"


@pytest.mark.parametrize(("too_few", "is_blessed"), [("pass", True), ("block", False)])
def test_without_any_outcome_there_are_too_few_sessions_to_judge(
    data: Simulated, too_few: Literal["pass", "block"], is_blessed: bool
) -> None:
    silent = replace(data, labels=np.zeros_like(data.labels))
    limited = replace(NONE, utility=UtilityGate(max_utility_drop=0.05), too_few=too_few)
    evaluation = evaluated(silent, data.probabilities, data.probabilities, limited)
    [verdict] = evaluation.verdicts
    assert (verdict.outcome, verdict.positives_needed) == ("too few", None)
    assert "is undefined, as the baseline's utility is 0, and the limit is at most 0.05" in verdict.text
    assert TOO_FEW_SESSIONS in verdict.text
    assert evaluation.gate(BY_UTILITY).startswith("refused" if too_few == "block" else TOO_FEW_SESSIONS)
    assert evaluation.blessed == is_blessed


def test_an_objective_without_a_pair_is_undefined_and_says_so() -> None:
    data = simulate(rows=600, seed=3)
    data.sessions[:] = [f"session-{row}".encode() for row in range(data.rows)]  # one impression per session
    limited = replace(NONE, objective=replace(NO_LIMIT, min_gauc=0.5, max_ndcg_drop=0.0))
    verdicts = [v for v in evaluated(data, data.probabilities, data.probabilities, limited).verdicts if v.objective]
    assert {v.outcome for v in verdicts} == {"too few"}
    texts = " ".join(v.text for v in verdicts)
    assert "click: AUC within sessions is undefined, as no session has both outcomes" in texts
    assert "NDCG drop compared with the baseline is undefined, as no session of two impressions has a posi" in texts


def test_a_slice_can_have_a_floor(data: Simulated) -> None:
    broken = data.probabilities.copy()
    ios = data.columns["device"] == b"ios"
    broken[0, ios] = np.random.default_rng(2).permutation(broken[0, ios])
    limited = replace(NONE, slice=replace(NO_LIMIT, min_gauc=0.6))
    refused = {(v.objective, v.slice) for v in evaluated(data, broken, gates=limited, slices=SLICES[:1]).verdicts}
    assert ("click", "device=ios") in refused
    assert ("click", "device=android") not in refused
