"""FeedLogGen: a window of days of a feed log → Examples, with the newest day held out."""

from collections.abc import Sequence

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import channel, component_spec, standard_artifacts

from components.artifacts import DayProfilesArtifact, TrainingStartArtifact
from components.feed_log_gen.executor import Executor
from ranker.config.columns import Features, Keys
from ranker.config.documents import to_json
from ranker.config.exploration import Exploration
from ranker.config.objectives import Objective
from ranker.config.rows import Rows
from ranker.config.timestamps import Timestamps
from ranker.feed_log.columns import columns_of
from ranker.identity.code import code_fingerprint


class FeedLogGenSpec(component_spec.ComponentSpec):
    """FeedLogGen's parameters and outputs."""

    PARAMETERS = {
        "feed_log": component_spec.ExecutionParameter(type=str),
        "eval_day": component_spec.ExecutionParameter(type=str),
        "train_days": component_spec.ExecutionParameter(type=int),
        "columns": component_spec.ExecutionParameter(type=str),
        "source_fingerprint": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {"training_start": component_spec.ChannelParameter(type=TrainingStartArtifact, optional=True)}
    OUTPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "profiles": component_spec.ChannelParameter(type=DayProfilesArtifact),
    }


class FeedLogGen(base_beam_component.BaseBeamComponent):
    """Reads the Parquet files of a window of days, column by column, into tf.Examples.

    An Example has per impression: a key as one string, the timestamp as int64 milliseconds since 1970, a numeric
    feature as a float or nothing, a categorical feature as a string or nothing, a multi-valued feature as any number of
    strings, a dense embedding as floats of its size, a history as any number of int64 or as floats of its size or
    nothing, and an objective as int64 0 or 1. Where the log has exploration, whether a position was random is int64 0
    or 1, and its chance a float or nothing. Where impressions differ in weight, `row_weight` is a float.

    If the training continues from an earlier one, there may be a third split: `replay`, days that the earlier training
    has seen and on which only the towers are trained again.

    The artifact's span is the eval day in days since 1970. Its custom properties `rows_per_day` (JSON), `train_rows`,
    `eval_rows`, `replay_rows` (only with that split), `missing_days` (comma-separated, empty if the window is complete)
    and `feed_log_warnings` (one per line) describe the rows, and `source_fingerprint` their content.

    The output `profiles` has the feature profiles of the eval day and of the `train_days` days before it, whatever the
    training starts from: the reference window, from which the drift of the eval day is measured.

    Args:
        feed_log: path or URI of the folder of day folders.
        eval_day: the day of the split eval, YYYY-MM-DD or another form that `ranker.feed_log.day` reads.
        train_days: number of days before it in the split train; a missing day gives a warning. If the training
            continues from an earlier one, only the days that the earlier one has not seen.
        objectives: of the 0/1 columns; a name alone is that of its column, too.
        features: the feature columns.
        keys: the key columns.
        timestamps: which timestamps the rows of a day's folder may have.
        exploration: the columns that say which impressions stood at random positions, if the log has them.
        ids: the id columns of random effects that are not among the keys.
        rows: which rows are read, and their weight in training.
        source_fingerprint: fingerprint by `ranker.feed_log.fingerprint` of the days of a cold start and of those that
            its histories are of, so that the cache key changes with the data. With "" the component computes it at run
            time. Then the cache key does not contain it, and the cache must be disabled.
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
        objectives: Sequence[Objective | str],
        features: Features,
        keys: Keys,
        source_fingerprint: str | RuntimeParameter = "",
        training_start: channel.BaseChannel | None = None,
        timestamps: Timestamps | None = None,
        exploration: Exploration | None = None,
        ids: Sequence[str] = (),
        rows: Rows | None = None,
    ) -> None:
        super().__init__(
            FeedLogGenSpec(
                feed_log=feed_log,
                eval_day=eval_day,
                train_days=train_days,
                columns=to_json(columns_of(objectives, features, keys, timestamps, exploration, ids, rows)),
                source_fingerprint=source_fingerprint,
                training_start=training_start,
                code_fingerprint=code_fingerprint("components.feed_log_gen.executor"),
                examples=channel.Channel(type=standard_artifacts.Examples),
                profiles=channel.Channel(type=DayProfilesArtifact),
            )
        )
