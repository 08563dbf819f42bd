"""An objective with a negative utility weight: the score falls when it gets more probable."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.ranker.export.feed import OBJECTIVES, TinyFeed, dense_tensors

TRADE_OFF = {"alpha": 0.25, "lambda_": 4.0}


@pytest.fixture(scope="module")
def signatures(feed: TinyFeed) -> dict[str, Any]:
    """Signatures of a model in which `like` is bad and `answer` does not count."""
    like, click, answer = OBJECTIVES
    objectives = (replace(like, utility_weight=-3.0), click, replace(answer, utility_weight=0.0))
    return feed.module(objectives=objectives).signatures()


def _ranked(feed: TinyFeed, signatures: dict[str, Any], **weights: float) -> np.ndarray:
    scalars = {name: tf.constant(value) for name, value in {**TRADE_OFF, **weights}.items()}
    ranked = signatures["rank_weighted" if weights else "rank"](**dense_tensors(feed.rows), **scalars)
    assert np.all(np.diff(ranked["score"].numpy()[ranked["order"].numpy()]) <= 0)
    return np.asarray(ranked["score"])


@pytest.mark.slow
def test_the_score_falls_with_a_negative_objective(feed: TinyFeed, signatures: dict[str, Any]) -> None:
    like, click, _ = feed.probabilities().T
    np.testing.assert_allclose(_ranked(feed, signatures), 0.25 * click - 0.75 * 3.0 * like, atol=5e-6)


@pytest.mark.slow
def test_a_request_may_weigh_it_more_or_not_at_all(feed: TinyFeed, signatures: dict[str, Any]) -> None:
    like, click, answer = feed.probabilities().T
    score = _ranked(feed, signatures, weight_like=-5.0, weight_click=2.0, weight_answer=1.0)
    np.testing.assert_allclose(score, 0.25 * 2.0 * click - 0.75 * 5.0 * like + 4.0 * answer, atol=2e-5)
    score = _ranked(feed, signatures, weight_like=0.0, weight_click=0.0, weight_answer=1.0)
    np.testing.assert_allclose(score, 4.0 * answer, atol=5e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [
        ("weight_like", 0.1, r"-1e\+06 and 0"),
        ("weight_like", -1e7, r"-1e\+06 and 0"),
        ("weight_click", -0.1, r"0 and 1e\+06"),
        ("weight_answer", -0.1, r"0 and 1e\+06"),
    ],
)
def test_a_weight_of_the_other_sign_is_refused(
    feed: TinyFeed, signatures: dict[str, Any], name: str, value: float, limits: str
) -> None:
    weights = {"weight_like": -3.0, "weight_click": 1.0, "weight_answer": 0.0, name: value}
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}: must lie between {limits}"):
        _ranked(feed, signatures, **weights)


def test_the_default_of_a_request_is_the_configs_weight(feed: TinyFeed) -> None:
    objectives = (replace(OBJECTIVES[0], utility_weight=-3.0), *OBJECTIVES[1:])
    defaults = feed.module(objectives=objectives).defaults()["rank_weighted"]
    assert float(defaults["weight_like"]) == -3.0
