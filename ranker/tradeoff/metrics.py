"""The metrics of an experiment: the goal and the guarded objectives, as weighted sums of the objectives' rates."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ranker.config.pipeline import PipelineConfig
from ranker.config.tradeoff import GOAL, TradeOff
from ranker.evaluation.buckets import Floats


@dataclass(frozen=True)
class Metric:
    """One metric, and the limits of its change relative to arm 0.

    Attributes:
        name: `goal`, or the guarded objective.
        weights: of the objectives' rates, [objectives].
        lower, upper: limits of the relative change; infinite where there is none.
        confidence: the probability with which the limits have to hold.
    """

    name: str
    weights: Floats
    lower: float
    upper: float
    confidence: float

    def holds(self, change: Floats) -> np.ndarray:
        """Whether a change is within the limits, of the same shape."""
        return (change >= self.lower) & (change <= self.upper)

    def violation(self, change: Floats) -> Floats:
        """How far a change is beyond the limits, of the same shape; 0 within them."""
        return np.maximum(np.maximum(self.lower - change, change - self.upper), 0.0)

    def probability(self, mean: Floats, deviation: Floats) -> Floats:
        """The probability that a normally distributed change is within the limits, of the same shape."""
        scale = np.maximum(deviation, 1e-12)
        return np.asarray(ndtr((self.upper - mean) / scale) - ndtr((self.lower - mean) / scale))


@dataclass(frozen=True)
class Metrics:
    """All metrics of an experiment.

    Attributes:
        goal: is maximised; its limit is that it grows.
        guardrails: the limits on others.
    """

    goal: Metric
    guardrails: tuple[Metric, ...]

    @staticmethod
    def of(config: PipelineConfig, tradeoff: TradeOff) -> "Metrics":
        """The metrics that a config declares."""
        names = config.objective_names

        def weights(of: dict[str, float]) -> Floats:
            return np.array([of.get(name, 0.0) for name in names])

        return Metrics(
            Metric(GOAL, weights(tradeoff.maximize), 0.0, np.inf, tradeoff.confidence),
            tuple(
                Metric(
                    guardrail.objective,
                    weights({guardrail.objective: 1.0}),
                    -np.inf if guardrail.min_change is None else guardrail.min_change,
                    np.inf if guardrail.max_change is None else guardrail.max_change,
                    guardrail.confidence,
                )
                for guardrail in tradeoff.guardrails
            ),
        )

    @property
    def all(self) -> tuple[Metric, ...]:
        """The goal first."""
        return (self.goal, *self.guardrails)

    @property
    def weights(self) -> Floats:
        """[metrics, objectives]."""
        return np.stack([metric.weights for metric in self.all])
