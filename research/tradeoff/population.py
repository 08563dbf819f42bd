"""The viewers of an experiment: the simulator's sessions, scored once, and ranked under any setting.

Models are stood in for by what the best model of the log's columns would predict, with errors of its own: noise for
every impression, and a miscalibration for every objective. So twenty feeds cost minutes and not hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from datasets.synthetic.candidates import Candidates
from datasets.synthetic.feed import DEFAULT_START
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.simulator import Simulator
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.buckets import Floats, Ints
from ranker.tradeoff.offline import ScoredDay

_NOISE = 0.35
_MISCALIBRATION = 0.15
"""The errors of the models, in log-odds: of every impression, and common to all impressions of an objective."""

_FIRST_ALONE = 0.999  # in place of the second position of a session that has none


@dataclass(frozen=True, eq=False)
class Population:
    """The sessions of some days, with the models' probabilities and the simulator's truth.

    Attributes:
        scored: for ranking; its `k` is not read.
        relevance: true probability of every objective if the impression is examined, [objectives, rows].
        patience: of each impression's viewer: the position's distance at which half of them have left, [rows].
    """

    scored: ScoredDay
    relevance: Floats
    patience: Floats

    def expected(self, coefficients: Floats) -> Floats:
        """The true rate of every objective per session, ranked by this utility, [objectives]."""
        return np.asarray(self.relevance @ self._examined(coefficients)) / self.scored.sessions

    def observed(self, coefficients: Floats, viewers: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """What an arm measures: the rates of its viewers [objectives], and the covariance of these rates.

        Each viewer has one session, drawn with replacement. The outcomes of all sessions are drawn once, which gives
        the covariance of a viewer's outcomes as an experiment would estimate it; the rates are drawn from the normal
        distribution that the mean of so many viewers has.
        """
        examined = self._examined(coefficients)
        seen = generator.random(len(examined)) < examined
        happened = seen & (generator.random(self.relevance.shape) < self.relevance)
        starts = np.flatnonzero(np.diff(self.scored.session, prepend=-1))
        per_session = np.add.reduceat(happened.astype(np.float64), starts, axis=1)
        covariance = np.cov(per_session) / viewers
        mean = self.relevance @ examined / self.scored.sessions
        return generator.multivariate_normal(mean, covariance), covariance

    def _examined(self, coefficients: Floats) -> Floats:
        return 1.0 / (1.0 + (self.scored.positions(coefficients) - 1) / self.patience)


@dataclass(frozen=True, eq=False)
class Feed:
    """One simulated feed.

    Attributes:
        held_out: the day before the experiment, as offline valuation sees it.
        days: the days of the experiment.
        all_days: the same in one, which regret and violations are measured on.
    """

    held_out: ScoredDay
    days: Sequence[Population]
    all_days: Population


def simulate(config: PipelineConfig, impressions_per_day: int, days: int, seed: int) -> Feed:
    """A feed with its own world, and models with their own errors."""
    simulator = Simulator(FeedParameters(impressions_per_day, seed, DEFAULT_START))
    generator = np.random.default_rng(seed)
    shift = generator.normal(0.0, _MISCALIBRATION, len(config.objectives))
    held_out, *rounds = (
        _joined([_of_batch(config, candidates, shift, generator) for candidates in simulator.sessions(day)])
        for day in range(days + 1)
    )
    return Feed(held_out.scored, rounds, _joined(rounds))


def _of_batch(
    config: PipelineConfig, candidates: Candidates, shift: Floats, generator: np.random.Generator
) -> Population:
    sizes = np.diff(candidates.offsets)
    session: Ints = np.repeat(np.arange(len(sizes)), sizes)
    examined = candidates.expectations(np.arange(len(candidates))).examined.astype(np.float64)
    # The second position of a session shows its patience: examined = 1 / (1 + 1 / patience).
    second = np.minimum(examined[np.minimum(candidates.offsets[:-1] + 1, candidates.offsets[1:] - 1)], _FIRST_ALONE)
    truth = candidates.expectations()
    log_odds = logit(truth.tastes_averaged_out.astype(np.float64)) + shift[:, np.newaxis]
    predicted = expit(log_odds + generator.normal(0.0, _NOISE, log_odds.shape))
    return Population(
        ScoredDay(session, predicted, config.utility.k),
        truth.given_everything.astype(np.float64),
        (second / (1.0 - second))[session],
    )


def _joined(parts: Sequence[Population]) -> Population:
    ends = np.cumsum([0, *(part.scored.sessions for part in parts)])
    sessions: list[NDArray[np.int64]] = [part.scored.session + end for part, end in zip(parts, ends, strict=False)]
    return Population(
        ScoredDay(
            np.concatenate(sessions),
            np.concatenate([part.scored.probabilities for part in parts], axis=1),
            parts[0].scored.k,
        ),
        np.concatenate([part.relevance for part in parts], axis=1),
        np.concatenate([part.patience for part in parts]),
    )
