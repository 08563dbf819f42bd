"""What a model's metrics are judged by: those of the forest alone, and of predicting the base rate."""

from dataclasses import dataclass

from ranker.evaluation.summary import ObjectiveMetrics


@dataclass(frozen=True)
class References:
    """The metrics of two simpler predictions of one objective on the held-out day; both rank no sessions.

    Attributes:
        forest: of the forest alone; None where it predicts no single objective.
        base_rate: of predicting the base rate of the training for every impression: AUC 0.5, and a normalized entropy
            of 1 or, where the rate has changed, slightly more. None where the base rate is unknown.
    """

    forest: ObjectiveMetrics | None = None
    base_rate: ObjectiveMetrics | None = None
