"""Experiments with made-up sums."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline_config import FEED
from ranker.config.pipeline import PipelineConfig
from ranker.config.tradeoff import Guardrail, SearchSpace, TradeOff
from ranker.tradeoff.arms import FORMAT, Arm, ArmGroup, Arms
from ranker.tradeoff.setting import Setting
from ranker.tradeoff.sums import FORMAT as SUMS_FORMAT
from ranker.tradeoff.sums import VIEWER_GROUPS, ArmSums, DaySums

EXPERIMENT = "0badcafe"
TRADEOFF = TradeOff(
    maximize={"comment": 1.0},
    guardrails=(Guardrail("click", min_change=-0.02),),
    search=SearchSpace(alpha=(0.0, 1.0)),
    min_viewers=100,
)


def config(tradeoff: TradeOff = TRADEOFF) -> PipelineConfig:
    return replace(FEED, tradeoff=tradeoff)


def arms(version: int = 1, *alphas: float, by: str | None = None, cohorts: tuple[str | None, ...] = (None,)) -> Arms:
    """Arm 0 with alpha 0.5, and one arm per alpha; the same in every cohort."""
    share = 0.5 / max(1, len(alphas))
    return Arms(
        FORMAT,
        EXPERIMENT,
        version,
        f"{EXPERIMENT}.{version}",
        by,
        by,
        tuple(
            ArmGroup(
                cohort,
                tuple(
                    Arm(
                        f"{EXPERIMENT}.{version}.{group}-{number}",
                        Setting(alpha, 0.1, {}),
                        share if number else 1.0 - share * len(alphas),
                    )
                    for number, alpha in enumerate((0.5, *alphas))
                ),
            )
            for group, cohort in enumerate(cohorts)
        ),
    )


def sums(
    arm: str, rates: Mapping[str, float], sessions: int = 12_800, viewers: int = 2_000, cohort: str = ""
) -> ArmSums:
    """Equal sessions in all groups; positives by the rates, and more of them in half of the groups."""
    each = sessions // VIEWER_GROUPS
    uneven = np.where(np.arange(VIEWER_GROUPS) % 2, 1.02, 0.98)
    return ArmSums(
        arm,
        cohort,
        viewers,
        [each] * VIEWER_GROUPS,
        [np.round(uneven * each * rates.get(name, 0.0)).astype(int).tolist() for name in FEED.objective_names],
    )


def day(number: int, *of: ArmSums) -> DaySums:
    return DaySums(SUMS_FORMAT, EXPERIMENT, f"2026-03-{number:02}", list(FEED.objective_names), list(of))
