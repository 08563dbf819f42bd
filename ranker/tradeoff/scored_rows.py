"""Reads a held-out day and scores it once, for offline estimates."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ranker.config.pipeline import PipelineConfig
from ranker.config.utility import Utility
from ranker.evaluation.batch_columns import read_exploration, read_labels, read_numbers, read_strings
from ranker.evaluation.buckets import Floats
from ranker.evaluation.random_sessions import random_sessions
from ranker.feed_log.columns import columns_of
from ranker.feed_log.planning import plan_day
from ranker.histories.reading import located_unit_rows
from ranker.scoring.calling import errors_of
from ranker.tradeoff.offline import RandomOrder, ScoredDay, enough_random_sessions

MOST_ROWS = 12_000
"""Impressions that are kept of a day: as many as a setting is valued on in some milliseconds."""

Scorer = Callable[[pa.RecordBatch], Floats]
"""Feature columns and ids as lists → probabilities without the effect of exposure, [objectives, batch]."""


def read_scored_day(
    config: PipelineConfig,
    feed_log: str | Path,
    day: date,
    score: Scorer,
    position: str | None,
    most_rows: int = MOST_ROWS,
) -> ScoredDay:
    """A sample of a day's sessions with the model's probabilities.

    Settings are valued by what happened if enough sessions were shown in random order, else by the model.

    Args:
        config: of the model.
        feed_log: the folder of day folders.
        day: which one; the model should not have been trained on it.
        score: the model.
        position: the exposure column by which a session's rows were shown; None where the config has no exploration.
        most_rows: of the sample; sessions are kept complete.

    Raises:
        FeedLogError: the day is missing or invalid, or the model cannot score a row.
        ValueError: the log's exploration is inconsistent.
    """
    parts = list(_parts(config, feed_log, day, score, position, most_rows))
    rows = {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}
    utility: Utility = config.utility
    current = np.array(utility.coefficients(config.objectives))
    if config.exploration is not None:
        try:
            random = random_sessions(
                rows["session"], rows["viewer"], rows["position"], rows["randomised"], rows["propensity"]
            )
        except ValueError as error:
            raise ValueError(f"feed log {feed_log}, {day}, with {position!r} as position: {error}") from error
        order = np.argsort(random.session, kind="stable")
        kept = random.rows[order]
        observed = ScoredDay(
            random.session[order],
            rows["probabilities"][:, kept],
            utility.k,
            RandomOrder(random.position[order], random.propensity[order], rows["labels"][:, kept], random.viewer),
        )
        if len(random) and enough_random_sessions(observed, current):
            return observed
    session = pd.factorize(rows["session"])[0]
    order = np.argsort(session, kind="stable")
    return ScoredDay(session[order].astype(np.int64), rows["probabilities"][:, order], utility.k)


def _parts(
    config: PipelineConfig, feed_log: str | Path, day: date, score: Scorer, position: str | None, most_rows: int
) -> Iterator[dict[str, np.ndarray]]:
    exploration = config.exploration
    columns = columns_of(
        config.objectives, config.features, config.keys, config.timestamps, exploration, config.id_columns, config.rows
    )
    units = plan_day(feed_log, day, columns)
    share = min(1.0, most_rows / max(1, sum(unit.rows for unit in units)))
    for found in located_unit_rows(feed_log, units, columns):
        session = read_strings(found.rows, config.example_keys.session)
        randomised = np.zeros(len(session), bool)
        if exploration:
            randomised = read_numbers(found.rows, exploration.randomised) == 1
        kept = _sampled(session, share) | (randomised & _sampled(session, min(1.0, 20.0 * share)))
        sampled, session = found.filter(kept), session[kept]
        batch = sampled.rows
        labels = read_labels(batch, config.objective_names)
        known = batch.select(list(config.names_scored))
        with errors_of(sampled.place):
            probabilities = score(known) if len(session) else np.empty((len(config.objectives), 0))
        yield {
            "session": session,
            "viewer": read_strings(batch, config.example_keys.viewer),
            "labels": np.nan_to_num(labels),
            "probabilities": probabilities.astype(np.float64),
            **(
                read_exploration(batch, exploration, position, f"feed log {feed_log}, {day}")
                if exploration and position
                else {}
            ),
        }


def _sampled(sessions: np.ndarray, share: float) -> np.ndarray:
    """Whether each session is part of a sample of that share, [rows]."""
    texts = np.array([session.decode("utf-8", "replace") for session in sessions], dtype=object)
    return np.asarray(pd.util.hash_array(texts, categorize=True) < share * 2.0**64)
