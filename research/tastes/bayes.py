"""The most that a log tells of hidden tastes: their posterior mode, with everything else known.

The estimate knows what no model knows: the true probabilities of a viewer without tastes, what tastes are multiplied
by, and their distribution. So what it misses of the oracle is not in the log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.synthetic.candidates import Candidates
from datasets.synthetic.simulator import Simulator
from ranker.config.pipeline import PipelineConfig
from research.online.arms import Order, coefficients

_STEPS = 8
_STEP = 0.01  # of the numerical derivative, in standard deviations of the tastes
_LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class _Day:
    """Candidates in the order of their table, as they were shown.

    Attributes:
        candidates: of consecutive sessions.
        viewers: [rows], the number of the viewer.
        examined: [rows], the probability that the viewer looked.
        labels: bool [objectives, rows].
    """

    candidates: Candidates
    viewers: NDArray[np.int64]
    examined: NDArray[np.float32]
    labels: NDArray[np.bool_]

    def derivatives(self, taste: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The score and the Fisher information of each row's taste, [rows], summed over the objectives."""
        p = self._probability(taste)
        slope = (self._probability(taste + _STEP) - self._probability(taste - _STEP)) / (2 * _STEP)
        variance = p * (1 - p)
        score: NDArray[np.float64] = ((self.labels - p) / variance * slope).sum(axis=0)
        information: NDArray[np.float64] = (slope**2 / variance).sum(axis=0)
        return score, information

    def _probability(self, taste: NDArray[np.float64]) -> NDArray[np.float64]:
        p = self.examined * self.candidates.given_taste(taste).astype(np.float64)
        return np.clip(p, _LEAST, 1 - _LEAST)


def learnt_tastes(
    simulator: Simulator, days: Sequence[int], config: PipelineConfig
) -> dict[object, NDArray[np.float64]]:
    """Viewer → the posterior mode of the tastes, [tastes], from what the log of the feed tells.

    Args:
        simulator: of the feed.
        days: of the log, counted from its start.
        config: names the objectives and the column of the viewers.
    """
    shown = [candidates for day in days for candidates in simulator.sessions(day)]
    ids = np.concatenate([one.table.column(config.keys.viewer).to_numpy(zero_copy_only=False) for one in shown])
    codes, viewers = pd.factorize(ids)
    ends = np.cumsum([len(one) for one in shown])[:-1]
    parts = [_as_logged(one, own, config) for one, own in zip(shown, np.split(codes, ends), strict=True)]
    size = shown[0].taste_inputs.shape[1]
    tastes = np.zeros((len(viewers), size))
    # Fisher scoring: the prior of every taste has variance 1.
    for _ in range(_STEPS):
        gradient, information = -tastes, np.tile(np.eye(size), (len(viewers), 1, 1))
        for part in parts:
            inputs = part.candidates.taste_inputs.astype(np.float64)
            score, weight = part.derivatives(np.einsum("ij,ij->i", inputs, tastes[part.viewers]))
            np.add.at(gradient, part.viewers, score[:, None] * inputs)
            np.add.at(information, part.viewers, weight[:, None, None] * inputs[:, :, None] * inputs[:, None, :])
        tastes += np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
    return dict(zip(viewers.tolist(), tastes, strict=True))


def _as_logged(candidates: Candidates, viewers: NDArray[np.int64], config: PipelineConfig) -> _Day:
    order = candidates.with_exploration(candidates.production_order())
    log = candidates.show(order, candidates.explored).log
    back = np.argsort(order)
    labels = np.stack([log.column(name).to_numpy(zero_copy_only=False)[back] > 0 for name in config.objective_names])
    return _Day(candidates, viewers, candidates.expectations(order).examined[back], labels)


def by_learnt_tastes(tastes: Mapping[object, NDArray[np.float64]], config: PipelineConfig) -> Order:
    """Ranks by true probabilities for viewers with these tastes; one who is not there has none."""
    weights = coefficients(config)

    def order(candidates: Candidates) -> NDArray[np.int64]:
        none = np.zeros(candidates.taste_inputs.shape[1])
        viewers = candidates.table.column(config.keys.viewer).to_pylist()
        own = np.stack([tastes.get(viewer, none) for viewer in viewers])
        taste = np.einsum("ij,ij->i", candidates.taste_inputs.astype(np.float64), own)
        return candidates.best_first(weights @ candidates.given_taste(taste))

    return order
