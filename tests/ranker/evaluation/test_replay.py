"""Replay metrics: exact on logs that can be enumerated, and intervals that cover the truth."""

from datetime import date
from itertools import permutations

import numpy as np
import pytest

from datasets.synthetic import FeedParameters, Simulator
from datasets.synthetic.vocabulary import OBJECTIVES
from ranker.evaluation.off_policy import PolicyValue
from ranker.evaluation.random_sessions import RandomSessions, random_sessions
from ranker.evaluation.replay import Replay, policy_positions, replay

ESTIMATORS = ("ips", "self_normalised", "doubly_robust", "matched")
WEIGHTS = np.array([0.5, 1.0, 0.5, 2.5, 4.0, 1.0])


def estimates(found: Replay) -> dict[str, PolicyValue]:
    made = {name: getattr(found, name) for name in ESTIMATORS}
    return {name: estimate for name, estimate in made.items() if estimate is not None}


# One session of each order of three items. So means over these sessions are expectations over the order.
ORDERS = np.array(list(permutations([1, 2, 3])))
QUALITY = np.array([0.9, 0.4, 0.2])
ATTENTION = np.array([1.0, 0.5, 0.25])


def every_order() -> tuple[RandomSessions, np.ndarray]:
    """The sessions, and outcomes that are the product of the item's quality and the position's attention."""
    session = np.repeat(np.arange(6), 3)
    position = ORDERS.ravel()
    sessions = random_sessions(session, session, position, np.ones(18), np.full(18, 1 / 3))
    return sessions, np.tile(QUALITY, 6) * ATTENTION[position - 1]


def of_every_order(scores: list[float], k: int, predicted: np.ndarray | None = None) -> dict[str, PolicyValue]:
    sessions, outcomes = every_order()
    return estimates(replay(sessions, np.tile(scores, 6), outcomes, k, predicted, min_effective_sessions=1))


@pytest.mark.parametrize("k", [1, 2, 3, 10])
@pytest.mark.parametrize("ranking", list(permutations([0, 1, 2])))
def test_over_all_orders_every_estimator_is_the_value_of_the_policy(ranking: tuple[int, ...], k: int) -> None:
    scores = [0.0] * 3
    for place, item in enumerate(ranking):
        scores[item] = -float(place)
    value = sum(QUALITY[item] * ATTENTION[place] for place, item in enumerate(ranking) if place < k)
    predicted = np.random.default_rng(0).normal(size=18)  # wrong
    found = of_every_order(scores, k, np.tile(predicted[:3], 6))
    for name in ("ips", "self_normalised", "doubly_robust"):
        assert found[name].estimate.value == pytest.approx(value)
    assert found["matched"].estimate.value == pytest.approx(value / min(k, 3))


def test_a_perfect_prediction_leaves_no_variance_from_the_order() -> None:
    sessions, _ = every_order()
    outcomes = np.tile(QUALITY, 6)  # whatever the position is
    blind = replay(sessions, np.tile([3.0, 2.0, 1.0], 6), outcomes, 1, np.tile(QUALITY, 6), min_effective_sessions=1)
    assert blind.doubly_robust is not None
    width = {name: made.estimate.upper - made.estimate.lower for name, made in estimates(blind).items()}
    assert width["doubly_robust"] < 0.7 * width["ips"]
    assert blind.doubly_robust.estimate.value == pytest.approx(QUALITY[0])


def test_effective_sessions_are_those_with_matches_by_weight() -> None:
    # Of six orders, two have the policy's first item first.
    assert {name: made.effective_sessions for name, made in of_every_order([3, 2, 1], k=1).items()} == pytest.approx(
        {"ips": 2, "self_normalised": 2, "matched": 2}
    )
    # Two sessions that match, with weights of 2 and 4.
    sessions = random_sessions(
        np.array([0, 0, 1, 1, 1, 1]),
        np.array([0, 0, 1, 1, 1, 1]),
        np.array([1, 2, 1, 2, 3, 4]),
        np.ones(6),
        np.array([0.5, 0.5, 0.25, 0.25, 0.25, 0.25]),
    )
    found = replay(sessions, -sessions.position.astype(float), np.ones(6), 1, min_effective_sessions=1)
    assert found.ips.effective_sessions == pytest.approx(6**2 / (2**2 + 4**2))
    assert found.matched.effective_sessions == 2
    assert (found.sessions, found.matches) == (2, 2)
    assert found.ips.estimate.value == pytest.approx((2 + 4) / 2)
    assert found.self_normalised.estimate.value == 1


def test_equal_scores_are_a_random_order_and_not_the_logs() -> None:
    session = np.repeat(np.arange(3000), 4)
    position = np.tile([1, 2, 3, 4], 3000)
    sessions = random_sessions(session, session, position, np.ones(12_000), np.full(12_000, 0.25))
    found = replay(sessions, np.zeros(12_000), ATTENTION.take(position - 1, mode="clip"), 1)
    assert found.matches == pytest.approx(750, abs=100)
    assert found.ips.estimate.value == pytest.approx(1.0, abs=0.1)


def test_the_policys_positions_count_from_1_in_every_session() -> None:
    session = np.array([1, 0, 1, 0, 1])
    assert policy_positions(session, np.array([0.1, 0.5, 0.9, 0.6, 0.4])).tolist() == [3, 2, 1, 1, 2]


def test_too_few_matches_give_no_estimate_but_say_so() -> None:
    sessions, outcomes = every_order()
    found = replay(sessions, np.tile([3.0, 2.0, 1.0], 6), outcomes, 1, outcomes)
    for estimate in estimates(found).values():
        assert estimate.too_few
        assert not estimate.estimate.defined
        assert str(estimate) == "too few matches: 2 effective sessions, needed are 50"


def test_a_log_without_random_sessions_has_too_few() -> None:
    nothing = np.empty(0)
    sessions = random_sessions(nothing, nothing, nothing, nothing, nothing)
    for needed in (50.0, 0.0):
        found = replay(sessions, nothing, nothing, 3, nothing, min_effective_sessions=needed)
        assert (found.sessions, found.matches) == (0, 0)
        assert all(estimate.too_few for estimate in estimates(found).values())


def test_outcomes_that_never_happened_have_an_interval_above_0() -> None:
    session = np.repeat(np.arange(500), 2)
    position = np.tile([1, 2], 500)
    sessions = random_sessions(session, session, position, np.ones(1000), np.full(1000, 0.5))
    scores = -position.astype(float)
    scores[:800] *= -1  # no match there
    outcomes = np.zeros(1000)
    outcomes[0] = 1
    found = replay(sessions, scores, outcomes, 2)
    for estimate in estimates(found).values():
        assert estimate.estimate.value == 0
        assert estimate.estimate.upper > 0


def test_one_viewer_says_nothing_about_others() -> None:
    sessions, outcomes = every_order()
    alone = RandomSessions(
        sessions.rows, sessions.session, np.zeros(6, np.int64), sessions.position, sessions.propensity
    )
    found = replay(alone, np.tile([3.0, 2.0, 1.0], 6), outcomes, 1, min_effective_sessions=1)
    assert (found.ips.estimate.lower, found.ips.estimate.upper) == (float("-inf"), float("inf"))


def test_sessions_of_a_viewer_are_not_independent() -> None:
    rng = np.random.default_rng(1)
    viewer = np.repeat(np.arange(100), 40)  # 20 sessions of two items each
    session = np.repeat(np.arange(2000), 2)
    outcomes = (rng.random(100) < 0.5)[viewer].astype(float)
    position = np.tile([1, 2], 2000)
    scores = rng.random(4000)

    def width(viewers: np.ndarray) -> float:
        sessions = random_sessions(session, viewers, position, np.ones(4000), np.full(4000, 0.5))
        estimate = replay(sessions, scores, outcomes, 1).self_normalised.estimate
        return estimate.upper - estimate.lower

    assert width(viewer) > 2 * width(session)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k: needs at least 1, got 0"),
        ({"scores": np.zeros(3)}, r"scores: expected one per random impression, \[18\], got \[3\]"),
        ({"outcomes": np.full(18, np.nan)}, "outcomes: nan is not finite"),
        ({"predicted": np.full(18, np.inf)}, "predicted: inf is not finite"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, np.ndarray], message: str) -> None:
    sessions, outcomes = every_order()
    given = {"scores": np.zeros(18), "outcomes": outcomes, "k": 1, "predicted": None, **arguments}
    with pytest.raises(ValueError, match=message):
        replay(sessions, **given)  # type: ignore[arg-type]


@pytest.mark.slow
def test_intervals_cover_the_value_in_the_population() -> None:
    """Viewers, sessions, orders and outcomes are drawn anew; the truth is the mean over very many of them."""
    k, misses = 2, dict.fromkeys(ESTIMATORS, 0)
    truth, truth_matched = _value_of_many(np.random.default_rng(10**6), k)
    for seed in range(100):
        sessions, scores, outcomes, relevance, _ = _population(np.random.default_rng(seed), 300)
        found = replay(sessions, scores, outcomes, k, 0.5 * relevance)
        for name, made in estimates(found).items():
            true = truth_matched if name == "matched" else truth
            misses[name] += not made.estimate.lower <= true <= made.estimate.upper
    assert all(count <= 10 for count in misses.values()), misses
    assert sum(misses.values()) > 0  # intervals as wide as that would say nothing


def _population(
    rng: np.random.Generator, viewers: int
) -> tuple[RandomSessions, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sessions of 3 to 8 items, scores, outcomes, relevance, and the value of the policy at each impression."""
    visits = rng.integers(1, 4, viewers)
    viewer_of = np.repeat(np.arange(viewers), visits)
    sizes = rng.integers(3, 9, len(viewer_of))
    session = np.repeat(np.arange(len(sizes)), sizes)
    mood = rng.normal(0, 0.7, viewers)[viewer_of][session]
    scores = rng.normal(size=len(session))
    relevance = 1 / (1 + np.exp(1.0 - scores - mood))
    drawn = np.lexsort((rng.random(len(session)), session))
    position = np.empty(len(session), np.int64)
    position[drawn] = np.arange(len(session)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    outcomes = (rng.random(len(session)) < relevance / np.sqrt(position)).astype(float)
    sessions = random_sessions(session, viewer_of[session], position, np.ones(len(session)), 1 / sizes[session])
    value = relevance / np.sqrt(policy_positions(session, scores))
    return sessions, scores, outcomes, relevance, value


def _value_of_many(rng: np.random.Generator, k: int) -> tuple[float, float]:
    """The policy's value: of the first k of a session, and of an impression that matches."""
    sessions, scores, _, _, value = _population(rng, 40_000)
    top = policy_positions(sessions.session, scores) <= k
    chance = sessions.propensity * top
    return float(value[top].sum() / len(sessions.sizes)), float((value * chance).sum() / chance.sum())


@pytest.mark.slow
def test_intervals_cover_the_simulators_truth() -> None:
    """100 feeds, each with a day of sessions in random order; the policy ranks by how well topics match."""
    k = 10
    misses = {(name, what): 0 for name in ESTIMATORS for what in ("utility", "click")}
    for seed in range(100):
        [candidates] = Simulator(FeedParameters(8_000, seed, date(2026, 1, 5))).sessions(0)
        sizes = np.diff(candidates.offsets)
        session = np.repeat(np.arange(len(sizes)), sizes)
        order = candidates.random_order()
        log = candidates.show(order).log
        sessions = random_sessions(
            session, log["viewer_id"].to_numpy(False), log["position"].to_numpy(), np.ones(8_000), 1 / sizes[session]
        )
        scores = np.nan_to_num(candidates.table["viewer_topic_match"].to_numpy(False)).astype(np.float64)
        # The policy's order with the ties that replay breaks at random.
        by_policy = order[np.lexsort((policy_positions(session, scores[order]), session))]
        truth = candidates.expectations(by_policy).given_everything.astype(np.float64)
        model = candidates.expectations().tastes_averaged_out[:, order].astype(np.float64)
        labels = np.array([log[name].to_numpy() for name in OBJECTIVES], np.float64)
        for what, weights in (("utility", WEIGHTS), ("click", np.eye(len(OBJECTIVES))[0])):
            value = np.bincount(session, weights @ truth * (candidates.position <= k))
            slots = np.minimum(sizes, k)
            found = replay(sessions, scores[order], weights @ labels, k, weights @ model)
            for name, made in estimates(found).items():
                true = (value / sizes).sum() / (slots / sizes).sum() if name == "matched" else value.mean()
                misses[name, what] += not made.estimate.lower <= true <= made.estimate.upper
    assert all(count <= 10 for count in misses.values()), misses
