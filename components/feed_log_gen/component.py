"""FeedLogGen: a window of days of a feed log → Examples, the newest day held out."""

from collections.abc import Sequence

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import channel, component_spec, standard_artifacts

from components.artifacts import TrainingStartArtifact
from components.feed_log_gen.executor import Executor
from ranker.config.columns import Features, Keys
from ranker.config.documents import to_json
from ranker.feed_log.columns import columns_of
from ranker.identity.code import code_fingerprint


class FeedLogGenSpec(component_spec.ComponentSpec):
    """FeedLogGen's parameters and its output."""

    PARAMETERS = {
        "feed_log": component_spec.ExecutionParameter(type=str),
        "eval_day": component_spec.ExecutionParameter(type=str),
        "train_days": component_spec.ExecutionParameter(type=int),
        "columns": component_spec.ExecutionParameter(type=str),
        "source_fingerprint": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {"training_start": component_spec.ChannelParameter(type=TrainingStartArtifact, optional=True)}
    OUTPUTS = {"examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)}


class FeedLogGen(base_beam_component.BaseBeamComponent):
    """Reads the Parquet files of a window of days, column by column, into tf.Examples.

    Per impression: keys as one string, the timestamp as int64 milliseconds since 1970, a numeric feature as a float or
    nothing, a categorical one as a string or nothing, a multi-valued one as any number of strings, a dense embedding as
    exactly its size of floats, an objective as int64 0 or 1.

    Where the training goes on from an earlier one, there may be a third split: `replay`, days that the earlier one has
    seen and that the towers alone train on again.

    The artifact's span is the eval day in days since 1970. Its custom properties `rows_per_day` (JSON), `train_rows`,
    `eval_rows`, `replay_rows` (where there is that split) and `missing_days` (comma-separated, empty where the window
    is complete) say what was read, and `source_fingerprint` which content.

    Args:
        feed_log: path or URI of the folder of day folders.
        eval_day: the day that becomes the split eval, YYYY-MM-DD or whatever else `ranker.feed_log.day` reads.
        train_days: days before it that become the split train; a missing one is a warning. Where the training goes on
            from an earlier one, only the days that that one has not seen.
        objectives: the names of the 0/1 columns.
        features: the feature columns.
        keys: the key columns.
        source_fingerprint: what `ranker.feed_log.fingerprint` gives for the days of a cold start, so that the cache
            sees new data. With "" the component computes it at run time, where the cache does not see it: turn it off.
        training_start: TrainingStart's channel; without it the training starts cold.
    """

    SPEC_CLASS = FeedLogGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    READS_BEYOND_INPUTS = True

    def __init__(
        self,
        feed_log: str | RuntimeParameter,
        eval_day: str | RuntimeParameter,
        train_days: int,
        objectives: Sequence[str],
        features: Features,
        keys: Keys,
        source_fingerprint: str | RuntimeParameter = "",
        training_start: channel.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            FeedLogGenSpec(
                feed_log=feed_log,
                eval_day=eval_day,
                train_days=train_days,
                columns=to_json(columns_of(objectives, features, keys)),
                source_fingerprint=source_fingerprint,
                training_start=training_start,
                code_fingerprint=code_fingerprint("components.feed_log_gen.executor"),
                examples=channel.Channel(type=standard_artifacts.Examples),
            )
        )
