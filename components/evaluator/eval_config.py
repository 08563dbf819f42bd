"""The settings of an evaluation, and TFMA's config for it."""

from dataclasses import dataclass, field

from tensorflow_model_analysis.proto import config_pb2

from ranker.config.gates import Gates
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.slicing import SliceSpec
from ranker.evaluation.summary import BASELINE, CANDIDATE
from ranker.export.names import SERVING_DEFAULT


@dataclass(frozen=True)
class EvaluationSpec:
    """The settings of an evaluation.

    Attributes:
        utility: the objectives, which are the label columns and the model's outputs, with their weights.
        viewer_key: the column that names the viewer.
        session_key: the column that names the session.
        slices: the columns of each kind of slice.
        gates: limits on the candidate's metrics.
        baseline: the baseline, and why the candidate is not compared with it.
        compared: the objectives that the baseline predicts too; empty if only the candidate is scored.
    """

    utility: UtilityWeights
    viewer_key: str
    session_key: str
    slices: tuple[SliceSpec, ...]
    gates: Gates
    baseline: Baseline = field(default_factory=Baseline)
    compared: tuple[str, ...] = ()

    @property
    def compare(self) -> bool:
        """Whether the baseline is scored together with the candidate."""
        return bool(self.compared)

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the objectives."""
        return tuple(self.utility.weights)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that are scored."""
        return (CANDIDATE, BASELINE) if self.compare else (CANDIDATE,)

    @property
    def slice_columns(self) -> tuple[str, ...]:
        """The distinct columns of all slices."""
        return tuple(dict.fromkeys(column for spec in self.slices for column in spec))


def eval_config(settings: EvaluationSpec) -> config_pb2.EvalConfig:
    """TFMA's config: the models and the slices. Our evaluator has its own metrics and thresholds, so it lists none."""
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                name=model,
                is_baseline=model == BASELINE,
                signature_name=SERVING_DEFAULT,
                model_type="tf_generic",
                label_keys={objective: objective for objective in settings.objectives},
            )
            for model in settings.models
        ],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=spec) for spec in settings.slices),
        ],
    )
