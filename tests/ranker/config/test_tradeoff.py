"""The goal, the guardrails and the search space: what is refused, and what the error says."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline_config import FEED
from ranker.config.columns import Features
from ranker.config.objectives import Objective
from ranker.config.tradeoff import Guardrail, SearchSpace, TradeOff
from ranker.config.utility import Utility

GOAL = {"comment": 1.0}


def config(tradeoff: TradeOff) -> object:
    return replace(FEED, tradeoff=tradeoff)


def test_limits_in_words() -> None:
    assert repr(Guardrail("click", min_change=-0.01)) == "click ≥ -1 % at 95 %"
    assert repr(Guardrail("hide", max_change=0.0, confidence=0.9)) == "hide ≤ +0 % at 90 %"
    assert Guardrail("like", min_change=-0.02, max_change=0.1).limits == "like ≥ -2 % and ≤ +10 %"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Guardrail("click"), "set min_change, max_change or both"),
        (lambda: Guardrail("click", min_change=0.01), r"min_change\n.*less than or equal to 0"),
        (lambda: Guardrail("hide", max_change=-0.01), r"max_change\n.*greater than or equal to 0"),
        (lambda: Guardrail("hide", max_change=0.0, confidence=1.0), "confidence"),
        (lambda: SearchSpace(alpha=(0.5, 0.5)), "search.alpha"),
        (lambda: SearchSpace(alpha=(0.0, 1.5)), "alpha.1"),
        (lambda: SearchSpace(lambda_=(0.0, 1.0)), "lambda_.0"),
        (lambda: SearchSpace(lambda_=(1.0, 0.5)), "search.lambda_"),
        (lambda: SearchSpace(alpha=None), "there is nothing to search"),
        (lambda: SearchSpace(weights={"like": 1.0}), "weights"),
        (lambda: TradeOff(maximize={}), "maximize"),
        (lambda: TradeOff(maximize={"like": 0.0}), r"maximize: \['like'\] have weight 0"),
        (
            lambda: TradeOff(GOAL, (Guardrail("click", min_change=-0.01), Guardrail("click", max_change=0.0))),
            r"guardrails: \['click'\] occur more than once",
        ),
        (lambda: TradeOff(GOAL, (Guardrail("comment", max_change=0.0),)), "they contradict the goal"),
        (lambda: TradeOff({"hide": -1.0}, (Guardrail("hide", min_change=0.0),)), "they contradict the goal"),
        (lambda: config(TradeOff({"save": 1.0})), r"tradeoff.maximize: \['save'\] are not among the objectives"),
        (
            lambda: config(TradeOff(GOAL, (Guardrail("hide", max_change=0.0),))),
            r"tradeoff.guardrails: \['hide'\] are not among the objectives",
        ),
        (
            lambda: config(TradeOff(GOAL, search=SearchSpace(weights={"hide": 2.0}))),
            r"tradeoff.search.weights: \['hide'\] are not among the objectives",
        ),
        (lambda: config(TradeOff(GOAL, search=SearchSpace(alpha=(0.6, 0.9)))), "the current 0.5 of utility"),
        (lambda: config(TradeOff(GOAL, search=SearchSpace(lambda_=(0.2, 0.9)))), "the current 0.1 of utility"),
        (lambda: config(TradeOff(GOAL, by="planet")), "tradeoff.by: 'planet' is not among the categorical features"),
        (lambda: config(TradeOff(GOAL, arm="position")), "more than once"),
        (
            lambda: replace(
                FEED,
                objectives=(*FEED.objectives, Objective("Goal", tower="active")),
                tradeoff=TradeOff(GOAL, (Guardrail("Goal", min_change=0.0),)),
            ),
            "tradeoff.guardrails: 'Goal' is reserved, because 'goal' is what is maximised",
        ),
    ],
)
def test_what_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_a_guardrail_may_limit_a_part_of_the_goal() -> None:
    goal = {"comment": 1.0, "like": 1.0}
    assert TradeOff(goal, (Guardrail("like", max_change=0.0),)).guardrails[0].max_change == 0.0


def test_a_weight_of_zero_cannot_be_searched_by_a_factor() -> None:
    objectives = (replace(FEED.objectives[0], utility_weight=0.0), *FEED.objectives[1:])
    tradeoff = TradeOff(GOAL, search=SearchSpace(weights={"click": 2.0}))
    with pytest.raises(ValueError, match="have utility_weight 0, which a factor does not change"):
        replace(FEED, objectives=objectives, tradeoff=tradeoff)


def test_the_current_setting_may_be_an_end_of_the_range() -> None:
    tradeoff = TradeOff(GOAL, search=SearchSpace(alpha=(0.5, 0.9)))
    assert replace(FEED, utility=Utility(alpha=0.5), tradeoff=tradeoff).tradeoff == tradeoff


def test_the_arms_columns_are_no_features() -> None:
    with pytest.raises(ValueError, match="arm_propensity"):
        replace(FEED, features=replace(FEED.features, numeric=("arm_propensity",)), tradeoff=TradeOff(GOAL))
    assert isinstance(FEED.features, Features)
