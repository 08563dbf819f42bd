"""What a model's order would have been worth on logged days, compared with the logged order and a random one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from ranker.config.exploration import Exploration
from ranker.config.names import UTILITY
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.batch_columns import read_exploration, read_labels, read_strings
from ranker.evaluation.buckets import Floats
from ranker.evaluation.off_policy import PolicyValue, WeightedLog, inverse_propensity, self_normalised
from ranker.evaluation.random_sessions import RandomSessions, random_sessions
from ranker.evaluation.replay import Replay, replay
from ranker.feed_log.columns import columns_of
from ranker.feed_log.planning import plan_day
from ranker.histories.reading import located_unit_rows
from ranker.scoring.calling import errors_of

Scorer = Callable[[pa.RecordBatch], Floats]


@dataclass(frozen=True)
class Observed:
    """What happened in the first k positions of sessions in the order in which they were shown, in one outcome.

    Attributes:
        session: the value of a session's first k positions, which `ips`, `self_normalised` and `doubly_robust` of a
            model estimate.
        impression: the value of one impression there, which `matched` of a model estimates. As there, a session of n
            impressions counts by the min(k, n) / n matches that are expected of it.
    """

    session: PolicyValue
    impression: PolicyValue

    def comparable(self, estimator: str) -> PolicyValue:
        """The value that an estimator of `Replay` is compared with."""
        return self.impression if estimator == "matched" else self.session


@dataclass(frozen=True)
class Compared:
    """The values of three orders, in one outcome.

    Attributes:
        model: of the model's order, estimated.
        logged_order: of the order that the log's ranker chose, observed in the other sessions.
        random_order: of a random order, observed.
    """

    model: Replay
    logged_order: Observed
    random_order: Observed

    @property
    def logged(self) -> PolicyValue:
        """The value of a session's first k positions in the logged order."""
        return self.logged_order.session

    @property
    def random(self) -> PolicyValue:
        """The value of a session's first k positions in a random order."""
        return self.random_order.session


@dataclass(frozen=True)
class _Rows:
    """The days' rows: keys, exposure, outcomes [objectives, rows], and probabilities [objectives, random rows]."""

    session: np.ndarray
    viewer: np.ndarray
    position: Floats
    randomised: np.ndarray
    propensity: Floats
    labels: Floats
    probabilities: Floats


def compare_orders(
    config: PipelineConfig, feed_log: str | Path, days: Sequence[date], score: Scorer, position: str, k: int
) -> dict[str, Compared]:
    """Compares the model's order by utility with the logged one and a random one.

    Args:
        config: names exploration, objectives and the utility.
        feed_log: the folder of day folders.
        days: which days.
        score: a batch of feature columns and ids as lists → probabilities, [objectives, batch].
        position: the exposure column by which a session's rows were shown.
        k: the positions at the top that count.

    Returns:
        "utility" and every objective → its values.

    Raises:
        FeedLogError: a day is missing or invalid, or the model cannot score a row.
        ValueError: the config names no exploration, or the log's exploration is inconsistent.
    """
    if config.exploration is None:
        raise ValueError(f"config {config.name!r} names no exploration; set it to the columns of the log")
    rows = _read(config, config.exploration, feed_log, days, score, position)
    keys = rows.session, rows.viewer, rows.position
    try:
        random = random_sessions(*keys, rows.randomised, rows.propensity)
        # By the ranker; its chances are moot.
        ranked = random_sessions(*keys, ~rows.randomised, np.ones(len(rows.position)))
    except ValueError as error:
        raise ValueError(f"feed log {feed_log}, with {position!r} as position: {error}") from error
    weights = np.array(config.utility.coefficients(config.objectives))
    scores = weights @ rows.probabilities
    outcomes = {UTILITY: weights, **dict(zip(config.objective_names, np.eye(len(weights)), strict=True))}
    return {
        name: Compared(
            model=replay(random, scores, (of @ rows.labels)[random.rows], k, of @ rows.probabilities),
            logged_order=_observed(ranked, (of @ rows.labels)[ranked.rows], k),
            random_order=_observed(random, (of @ rows.labels)[random.rows], k),
        )
        for name, of in outcomes.items()
    }


def _observed(sessions: RandomSessions, outcomes: Floats, k: int) -> Observed:
    top = (sessions.position <= k).astype(np.float64)
    log = WeightedLog(sessions.session, sessions.viewer, top, outcomes)
    matches = replace(log, weight=top / sessions.sizes[sessions.session])
    return Observed(inverse_propensity(log), self_normalised(matches, np.ones(len(sessions.viewer))))


def _read(
    config: PipelineConfig,
    exploration: Exploration,
    feed_log: str | Path,
    days: Sequence[date],
    score: Scorer,
    position: str,
) -> _Rows:
    parts = [part for day in days for part in _parts(config, exploration, feed_log, day, score, position)]
    return _Rows(**{name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]})


def _parts(
    config: PipelineConfig, exploration: Exploration, feed_log: str | Path, day: date, score: Scorer, position: str
) -> Iterator[Mapping[str, np.ndarray]]:
    """The attributes of `_Rows`, batch by batch; only random rows are scored."""
    columns = columns_of(
        config.objectives, config.features, config.keys, config.timestamps, exploration, config.id_columns, config.rows
    )
    for found in located_unit_rows(feed_log, plan_day(feed_log, day, columns), columns):
        batch = found.rows
        labels = read_labels(batch, config.objective_names)
        where = f"feed log {feed_log}, {day}"
        shown = read_exploration(batch, exploration, position, where)
        if missing := int(np.count_nonzero(np.isnan(shown["position"]))):
            raise ValueError(
                f"{where}: {missing:,} rows with {exploration.randomised!r} 0 lack {position!r}; the value of the "
                "logged order needs every position"
            )
        # Exposure is left out: the policy is asked before it is known.
        scored = found.filter(shown["randomised"])
        known = scored.rows.select(list(config.names_scored))
        with errors_of(scored.place):
            probabilities = score(known) if len(known) else np.empty((len(labels), 0))
        yield {
            # Another day may have another session of the same name.
            "session": f"{day} ".encode() + read_strings(batch, config.example_keys.session),
            "viewer": read_strings(batch, config.example_keys.viewer),
            **shown,
            "labels": np.nan_to_num(labels),
            "probabilities": probabilities,
        }
