"""The engagement of every arm on the same sessions, and what is derived from it, with intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ranker.config.utility import Utility
from research.intervals import SeedEstimate
from research.online.arms import CONTROL, POSSIBLE
from research.online.engagement import GROUPS, Engagement, utility

_DRAWS = 1000

Means = Mapping[str, NDArray[np.float64]]
"""Arm → [..., groups] mean engagement per session."""


@dataclass(frozen=True, eq=False)
class OnlineResults:
    """The arms on the sessions of several simulated feeds.

    Attributes:
        behaviour: title of the simulated behaviour.
        impressions: candidates ranked per seed.
        trained_on: impressions of the log that the arms were trained on.
        trade_off: the utility of a session.
        seeds: per seed, arm → engagement of each session. A seed is a feed of its own, and its trainings.
        sessions_per_day: per seed, the sessions of each day, in order; empty if all are of one day.
    """

    behaviour: str
    impressions: int
    trained_on: int
    trade_off: Utility
    seeds: Sequence[Mapping[str, Engagement]]
    sessions_per_day: Sequence[Sequence[int]] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        """Their names, in the order of the tables."""
        return tuple(self.seeds[0])

    @property
    def sessions(self) -> int:
        """Sessions of all seeds."""
        return sum(len(next(iter(seed.values()))) for seed in self.seeds)

    @property
    def days(self) -> int:
        """Number of days that the arms ranked."""
        return len(self.sessions_per_day[0]) if self.sessions_per_day else 1

    def of_days(self, first: int, last: int) -> "OnlineResults":
        """The results of some of the days alone.

        Args:
            first: of the days, counted from 0.
            last: the day after them.
        """
        parts, counts = [], []
        for arms, sessions in zip(self.seeds, self.sessions_per_day, strict=True):
            begin, end = sum(sessions[:first]), sum(sessions[:last])
            parts.append({arm: values[begin:end] for arm, values in arms.items()})
            counts.append(list(sessions[first:last]))
        impressions = self.impressions * (last - first) // self.days
        return replace(self, impressions=impressions, seeds=parts, sessions_per_day=counts)

    def share_of_possible_gain(self, arm: str) -> SeedEstimate:
        """The arm's gain in utility over the production ranker, divided by that of ranking by true probabilities."""
        return self.share_of_gap(arm, CONTROL, POSSIBLE)

    def share_of_gap(self, arm: str, base: str, best: str) -> SeedEstimate:
        """The arm's gain in utility over one arm, divided by another's gain over it."""

        def share(means: Means) -> NDArray[np.float64]:
            of_base = self._utility(means, base)
            gained: NDArray[np.float64] = (self._utility(means, arm) - of_base) / (self._utility(means, best) - of_base)
            return gained

        return self._estimate(share)

    def utility_over(self, arm: str, rival: str) -> SeedEstimate:
        """The arm's utility per session, divided by the rival's."""
        return self._estimate(lambda means: self._utility(means, arm) / self._utility(means, rival))

    def engagement_over(self, group: str, arm: str, rival: str) -> SeedEstimate:
        """The arm's engagement per session in one utility group, divided by the rival's."""
        index = GROUPS.index(group)
        return self._estimate(lambda means: means[arm][..., index] / means[rival][..., index])

    def utility_per_session(self, arm: str) -> SeedEstimate:
        """The mean utility of a session."""
        return self._estimate(lambda means: self._utility(means, arm))

    def _utility(self, means: Means, arm: str) -> NDArray[np.float64]:
        return utility(means[arm], self.trade_off)

    def _estimate(self, metric: Callable[[Means], NDArray[np.float64]]) -> SeedEstimate:
        """The metric of each seed. A draw resamples the sessions: the same for all arms, so differences are paired."""
        of_seeds, of_draws = [], []
        for number, seed in enumerate(self.seeds):
            sessions = len(next(iter(seed.values())))
            generator = np.random.default_rng(number)
            weights = generator.multinomial(sessions, np.full(sessions, 1 / sessions), _DRAWS) / sessions
            of_seeds.append(metric({arm: values.mean(axis=0) for arm, values in seed.items()}))
            of_draws.append(metric({arm: weights @ values for arm, values in seed.items()}))
        return SeedEstimate(np.array(of_seeds), np.mean(of_draws, axis=0))
