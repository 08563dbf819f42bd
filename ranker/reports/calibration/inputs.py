"""The inputs of a report, which the component reads from artifacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ranker.evaluation.evaluation import Evaluation
from ranker.explanation.impressions import ExplainedImpression
from ranker.forest.curve import TrainingCurve
from ranker.registry.manifest import Manifest
from ranker.towers.history import TrainingHistory


@dataclass(frozen=True)
class Anomaly:
    """One finding of data validation.

    Attributes:
        split: train or eval.
        feature: the feature, or "all features".
        severity: whether it fails a run.
        text: description of the problem.
    """

    split: str
    feature: str
    severity: Literal["error", "warning"]
    text: str


@dataclass(frozen=True)
class FeatureComparison:
    """One feature in the training window compared with the held-out day.

    Attributes:
        feature: its column.
        missing: share of impressions without a value, in training and on the day; None if the split lacks the feature.
        typical: the mean of a number, the share of the most frequent value of a category; in training and on the day.
        what: description of `typical`.
        measure: the measure of drift that the schema limits; "" if the schema sets no limit.
        drift: the value of that measure for the day, compared with the reference window.
        limit: the schema's drift limit.
        distance: Jensen–Shannon divergence of the day from the reference window, in bits; the number that the monitor
            shows. None if it was not measured.
    """

    feature: str
    missing: tuple[float | None, float | None]
    typical: tuple[float | None, float | None]
    what: str
    measure: str = ""
    drift: float | None = None
    limit: float | None = None
    distance: float | None = None


@dataclass(frozen=True)
class ReportInputs:
    """Everything on the page.

    Attributes:
        evaluation: the Evaluator's document.
        manifest: of the model.
        forest_curve: the loss of the forest; None if the run did not train one but reused its parent's forest.
        tower_history: the loss of the towers.
        anomalies: of both splits.
        features: every feature that has statistics.
        base_rates: share of positives in training, by objective.
        rows_per_day: impressions by day, oldest first; the last day is held out.
        missing_days: days of the training window without a folder.
        feed_log_warnings: what is unusual about the rows of the feed log.
        fingerprints: of the data, the training and the forest.
        versions: versions of the libraries that the run used.
        gates: the gates' config, as JSON values.
        pushed_version: the version that the model was pushed as, or None if it was not pushed.
        not_pushed: why a blessed model was not pushed, or "".
        explained: objective → a few impressions of the held-out day with the contributions of the columns.
        not_explained: why there are none, or "".
    """

    evaluation: Evaluation
    manifest: Manifest
    forest_curve: TrainingCurve | None
    tower_history: TrainingHistory
    anomalies: tuple[Anomaly, ...] = ()
    features: tuple[FeatureComparison, ...] = ()
    base_rates: Mapping[str, float] = field(default_factory=dict)
    rows_per_day: Mapping[str, int] = field(default_factory=dict)
    missing_days: tuple[str, ...] = ()
    feed_log_warnings: tuple[str, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    gates: Mapping[str, Any] = field(default_factory=dict)
    pushed_version: str | None = None
    not_pushed: str = ""
    explained: Mapping[str, Sequence[ExplainedImpression]] = field(default_factory=dict)
    not_explained: str = ""

    @property
    def towers(self) -> dict[str, str]:
        """The tower that predicts each objective."""
        return {objective["name"]: objective["tower"] for objective in self.manifest.config.get("objectives", [])}

    @property
    def negative(self) -> frozenset[str]:
        """The objectives with a negative utility weight, of which more is worse."""
        objectives = self.manifest.config.get("objectives", [])
        return frozenset(objective["name"] for objective in objectives if objective.get("utility_weight", 1.0) < 0)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives in the config's order."""
        return tuple(self.evaluation.objectives)

    @property
    def compared(self) -> bool:
        """Whether the serving model was evaluated together with the candidate."""
        return self.evaluation.compared
