"""BatchScorer: the newest pushed model and a day of the feed log → a folder of scores."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import component_spec

from components.batch_scorer.executor import Executor
from ranker.identity.code import code_fingerprint


class BatchScorerSpec(component_spec.ComponentSpec):
    """BatchScorer's parameters; what it reads and writes are folders, and no artifacts."""

    PARAMETERS = {
        "push_destination": component_spec.ExecutionParameter(type=str),
        "feed_log": component_spec.ExecutionParameter(type=str),
        "day": component_spec.ExecutionParameter(type=str),
        "scores": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS: dict[str, component_spec.ChannelParameter] = {}


class BatchScorer(base_component.BaseComponent):
    """Scores the rows of a day with the newest pushed model.

    For each Parquet file of the day's folder, `scores` gets a file of the same name in a folder of the same name, with
    the keys of the impressions, the utility score and a probability per objective; see `ranker.scoring.beam`. The
    labels are not read. Scores of the day that are there already are replaced.

    Args:
        push_destination: path or URI of the folder of versions.
        feed_log: path or URI of the folder of day folders; the rows to score need no labels.
        day: the day, YYYY-MM-DD or another form that `ranker.feed_log.day` reads.
        scores: path or URI of the folder of scores.
    """

    SPEC_CLASS = BatchScorerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    READS_BEYOND_INPUTS = True

    def __init__(
        self,
        push_destination: str,
        feed_log: str | RuntimeParameter,
        day: str | RuntimeParameter,
        scores: str | RuntimeParameter,
    ) -> None:
        super().__init__(
            BatchScorerSpec(
                push_destination=push_destination,
                feed_log=feed_log,
                day=day,
                scores=scores,
                code_fingerprint=code_fingerprint("components.batch_scorer.executor"),
            )
        )
