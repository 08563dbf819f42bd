"""How long a suggestion takes: 200 measurements, 10 parameters, offline estimates."""

import statistics
import time
from dataclasses import replace

import numpy as np

from pipeline_config import FEED
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.tradeoff import Guardrail, SearchSpace, TradeOff
from ranker.tradeoff.measurements import OVERALL, Measurements
from ranker.tradeoff.metrics import Metrics
from ranker.tradeoff.offline import OfflineValues, ScoredDay
from ranker.tradeoff.optimiser import Optimiser
from ranker.tradeoff.scored_rows import MOST_ROWS
from ranker.tradeoff.space import Space

MEASUREMENTS, PARAMETERS, ARMS = 200, 10, 4
_SESSION_ROWS = 18
_NOISE = 0.005


def seconds_per_suggestion() -> float:
    """Seconds from the measurements to the settings of the next arms; the median of three runs."""
    return statistics.median(_measured(seed) for seed in range(3))


def _measured(seed: int) -> float:
    config, tradeoff = _config()
    space, metrics = Space.of(config, tradeoff), Metrics.of(config, tradeoff)
    assert len(space) == PARAMETERS
    generator = np.random.default_rng(seed)
    session = np.arange(MOST_ROWS) // _SESSION_ROWS
    day = ScoredDay(session, generator.beta(1.0, 20.0, (len(config.objectives), MOST_ROWS)), config.utility.k)
    offline = OfflineValues(day, config.objectives, space)
    points = generator.random((MEASUREMENTS, PARAMETERS))
    changes, _ = offline.changes(points, metrics.weights)
    noise = np.full(changes.shape, _NOISE)
    measured = Measurements(
        points,
        changes + generator.normal(0.0, _NOISE, changes.shape),
        noise**2,
        noise / 2,
        np.arange(MEASUREMENTS) // ARMS,
        np.full(MEASUREMENTS, OVERALL),
        ((MEASUREMENTS - 1 - np.arange(MEASUREMENTS)) // ARMS).astype(np.float64),
    )
    start = time.perf_counter()
    prior = OfflineValues(day, config.objectives, space).prior(metrics, space.spread(6, seed))
    Optimiser(space, metrics, measured, prior, seed=seed).suggest(ARMS)
    return time.perf_counter() - start


def _config() -> tuple[PipelineConfig, TradeOff]:
    """The built-in feed's config with two more objectives, all of whose weights are searched."""
    objectives = (*FEED.objectives, Objective("save", tower="active"), Objective("follow", tower="active"))
    tradeoff = TradeOff(
        maximize={"like": 1.0, "comment": 5.0, "reshare": 8.0},
        guardrails=(Guardrail("click", min_change=-0.01), Guardrail("long_dwell", min_change=-0.01)),
        search=SearchSpace(
            alpha=(0.0, 1.0), lambda_=(0.01, 1.0), weights=dict.fromkeys((o.name for o in objectives), 8.0)
        ),
    )
    return replace(FEED, objectives=objectives, tradeoff=tradeoff), tradeoff
