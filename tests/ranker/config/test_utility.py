"""The trade-off of a config."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

import pipeline.config
from pipeline_config import FEED
from ranker.config.documents import from_json, to_json
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.utility import Utility


def test_a_config_has_a_trade_off_that_can_be_replaced() -> None:
    assert FEED.utility == Utility(alpha=0.5, lambda_=0.1, k=10)
    assert pipeline.config.Utility is Utility
    changed = replace(FEED, utility=Utility(alpha=0.3, k=5))
    assert from_json(PipelineConfig, to_json(changed)).utility == Utility(0.3, 0.1, 5)


def test_coefficients_are_the_groups_weight_times_the_objectives() -> None:
    objectives = (
        Objective("click", "passive", utility_weight=2.0),
        Objective("comment", "active", utility_weight=5.0),
        Objective("reply", "active", utility_group="other", utility_weight=10.0),
        Objective("hide", "passive", utility_weight=-4.0),
    )
    assert Utility(alpha=0.25, lambda_=0.5).coefficients(objectives) == (0.5, 3.75, 5.0, -1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"alpha": 1.5}, {"alpha": float("nan")}, {"lambda_": -0.1}, {"lambda_": float("inf")}, {"k": 0}, {"beta": 1.0}],
)
def test_values_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Utility(**wrong)  # type: ignore[arg-type]
