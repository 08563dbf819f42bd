"""One day of a feed log in a single pass: the profile of its features, and the evaluation of a model."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import tensorflow as tf

from ranker import keys
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.batch_columns import read_labels, read_strings
from ranker.evaluation.buckets import Floats, viewer_groups
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.session_rows import session_hashes
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.sessions import Sessions
from ranker.evaluation.summary import CANDIDATE, summarize
from ranker.export.loading import LOAD_ERRORS, load_problem
from ranker.export.names import SERVING_DEFAULT
from ranker.feed_log.columns import columns_of
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import LocatedRows
from ranker.feed_log.tf_example import encode_examples
from ranker.histories.reading import located_unit_rows
from ranker.monitoring.profile import DayProfile
from ranker.progress import ProgressReporter
from ranker.scoring.calling import errors_of
from ranker.storage import local_copy

_LOG = logging.getLogger(__name__)


class ModelError(ValueError):
    """A pushed model cannot be monitored; the message says why."""


def profile_day(
    config: PipelineConfig, feed_log: str | Path, day: date, warn: Callable[[str], None] = _LOG.warning
) -> DayProfile:
    """The profile of a day's features.

    Args:
        warn: called with a sentence if the day has rows of another day, but too few for an error.

    Raises:
        FeedLogError: the day is missing or invalid.
    """
    profile = DayProfile(config.features)
    for found in _batches(config, feed_log, day, f"reading {day}", warn):
        profile.add(found.rows)
    return profile


def score_day(
    config: PipelineConfig,
    feed_log: str | Path,
    day: date,
    model: str | Path,
    warn: Callable[[str], None] = _LOG.warning,
) -> tuple[DayProfile, Evaluation]:
    """The profile of a day's features, and the evaluation of a pushed model on the day.

    Args:
        model: path or URI of the SavedModel's folder.
        warn: called with a sentence if the day has rows of another day, but too few for an error.

    Returns:
        The profile, and an evaluation without gates, with the model as the candidate.

    Raises:
        FeedLogError: the day is missing or invalid, or the model cannot score a row.
        ModelError: the model predicts other objectives, or values that are not probabilities.
    """
    score = model_scorer(config, model)
    profile = DayProfile(config.features)
    utility = UtilityWeights.of(config.utility, config.objectives)
    accumulator = Accumulator((CANDIDATE,), utility, config.slices)
    columns = tuple(dict.fromkeys(column for spec in config.slices for column in spec))
    for found in _batches(config, feed_log, day, f"scoring {day}", warn):
        batch = found.rows
        profile.add(batch)
        labels = read_labels(batch, config.objective_names)
        with errors_of(found.place):
            scored = score(batch)
        accumulator.add(
            labels,
            scored.probabilities[np.newaxis],
            viewer_groups(read_strings(batch, config.example_keys.viewer)),
            session_hashes(read_strings(batch, config.example_keys.session)),
            {name: read_strings(batch, name) for name in columns},
            scored.examination[np.newaxis],
        )
    if accumulator.invalid.any():
        counts = dict(zip(config.objective_names, accumulator.invalid[0].tolist(), strict=True))
        wrong = ", ".join(f"{name} on {count:,} impressions" for name, count in counts.items() if count)
        raise ModelError(f"{model}: it predicted values that are not probabilities: {wrong} of {profile.rows:,}")
    slices = list(summarize(accumulator, config.gates.confidence))
    sessions = Sessions.of(accumulator)
    return profile, Evaluation.of(slices, [], Baseline(), config.gates.confidence, sessions, accumulator.index.too_many)


@dataclass(frozen=True, eq=False)
class Scored:
    """What a model says of a batch.

    Attributes:
        probabilities: float64 [objectives, batch], at the logged exposure.
        examination: float64 [batch], the factor of the probabilities that exposure makes; 1 without an exposure model.
    """

    probabilities: Floats
    examination: Floats

    @property
    def relevance(self) -> Floats:
        """The probabilities without the effect of exposure, which a ranking goes by, [objectives, batch]."""
        return self.probabilities / self.examination


def model_scorer(config: PipelineConfig, model: str | Path) -> Callable[[pa.RecordBatch], Scored]:
    """A function that scores a batch of columns as lists.

    Args:
        model: path or URI of the SavedModel's folder.

    Raises:
        ModelError: the model cannot be loaded, or predicts other objectives.
    """
    try:
        with local_copy(model) as folder:
            # TensorFlow has read everything when this returns, the vocabularies of its tables included.
            signature = tf.saved_model.load(str(folder)).signatures[SERVING_DEFAULT]
    except LOAD_ERRORS as error:
        raise ModelError(f"{model}: it cannot be loaded: {load_problem(error)}") from error
    predicted = set(signature.structured_outputs) - {keys.EXAMINATION}
    if predicted != set(config.objective_names):
        raise ModelError(f"{model}: it predicts {sorted(predicted)} and not {sorted(config.objective_names)}")

    def score(batch: pa.RecordBatch) -> Scored:
        examples = encode_examples(batch).to_numpy(zero_copy_only=False)
        outputs = signature(tf.constant(examples))
        rows = len(examples)
        given = {name: values.numpy().reshape(rows).astype(np.float64) for name, values in outputs.items()}
        return Scored(
            np.stack([given[name] for name in config.objective_names]), given.get(keys.EXAMINATION, np.ones(rows))
        )

    return score


def _batches(
    config: PipelineConfig, feed_log: str | Path, day: date, what: str, warn: Callable[[str], None]
) -> Iterator[LocatedRows]:
    columns = columns_of(
        config.objectives, config.features, config.keys, config.timestamps, ids=config.id_columns, rows=config.rows
    )
    units = plan_day(feed_log, day, columns, warn)
    progress = ProgressReporter(what, sum(unit.rows for unit in units))
    done = 0
    for found in located_unit_rows(feed_log, units, columns):
        yield found
        done += found.rows.num_rows
        progress.update(done)
