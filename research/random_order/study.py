"""Trains with and without the exposure model, and predicts the next day's sessions in two orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console

import ranker
from datasets.synthetic.simulator import Simulator
from ranker.config.examination import Examination
from ranker.config.pipeline import PipelineConfig
from ranker.files import atomic_file
from ranker.identity.code import PROJECT_ROOT, code_fingerprint
from ranker.identity.recipe import recipe_fingerprint
from research.intervals import SeedEstimate
from research.online.behaviours import Behaviour

AS_SHIPPED, EXPOSURE = "as shipped", "with the exposure model"
RANDOM, LOGGED = "random", "of the production ranker"
ORDERS = (RANDOM, LOGGED)

EXAMINED_BY: Mapping[str, Examination | None] = MappingProxyType(
    {AS_SHIPPED: None, EXPOSURE: Examination(by=("device",))}
)
"""Model → its exposure model."""

_DRAWS = 1000
_CODE = ("ranker.api", "research.random_order.study")

Sums = NDArray[np.float64]
"""[sessions, objectives], sums over a session's impressions."""


@dataclass(frozen=True, eq=False)
class PredictedOrder:
    """One order of a day's sessions.

    Attributes:
        observed: outcomes that were drawn.
        expected: model → outcomes that it expects.
    """

    observed: Sums
    expected: Mapping[str, Sums]


@dataclass(frozen=True, eq=False)
class RandomOrderResults:
    """The sessions of the next day in both orders.

    Attributes:
        config: of the model as shipped.
        trained_on: impressions that a model is trained on.
        seeds: per seed, order → its sessions. A seed is a feed of its own, and its trainings.
    """

    config: PipelineConfig
    trained_on: int
    seeds: Sequence[Mapping[str, PredictedOrder]]

    @property
    def sessions(self) -> int:
        """Of all seeds."""
        return sum(len(seed[RANDOM].observed) for seed in self.seeds)

    def positives(self, order: str, objective: int) -> int:
        """Of all seeds."""
        return int(sum(seed[order].observed[:, objective].sum() for seed in self.seeds))

    def o_over_e(self, model: str, order: str) -> list[SeedEstimate]:
        """Per objective, observed outcomes divided by expected ones, with an interval over sessions and seeds."""
        of_seeds, of_draws = [], []
        for number, seed in enumerate(self.seeds):
            observed, expected = seed[order].observed, seed[order].expected[model]
            sessions = len(observed)
            generator = np.random.default_rng(number)
            weights = generator.multinomial(sessions, np.full(sessions, 1 / sessions), _DRAWS)
            with np.errstate(invalid="ignore"):  # an objective may be without positives
                of_seeds.append(observed.sum(axis=0) / expected.sum(axis=0))
                of_draws.append(weights @ observed / (weights @ expected))
        values, draws = np.array(of_seeds), np.mean(of_draws, axis=0)
        return [SeedEstimate(values[:, objective], draws[:, objective]) for objective in range(values.shape[1])]


def predict_orders(
    config: PipelineConfig, behaviour: Behaviour, impressions: int, seeds: Sequence[int], work: Path, console: Console
) -> RandomOrderResults:
    """Simulates a feed per seed, trains both models on all days but the newest, and predicts the newest.

    Args:
        config: of the pipeline; its own exposure model is replaced.
        behaviour: of the simulator; it explores, as the exposure model is fitted on sessions in random order.
        impressions: of a feed, over all days.
        seeds: each is the seed of a feed.
        work: folder for logs and predictions; what is there already is not made again.
        console: shows progress.
    """
    days = config.train_days + 1
    code = code_fingerprint(*_CODE)  # once: the code may be edited during a long run
    found = []
    for seed in seeds:
        feed = behaviour.feed(work, impressions, days, seed)
        expected: dict[str, dict[str, Sums]] = {}
        observed: dict[str, Sums] = {}
        for model, examination in EXAMINED_BY.items():
            examined = replace(config, examination=examination)
            recipe = recipe_fingerprint(examined, (PROJECT_ROOT / config.schema).read_text(), code)
            file = work / "orders" / f"{feed.log.name}-{recipe}.npz"
            if not file.exists():
                console.print(f"seed {seed}: {model}", highlight=False)
                trained = ranker.train(examined, feed.log, feed.newest)
                _keep(file, _sums(trained, Simulator(feed.parameters), feed.day, examined))
            with np.load(file) as arrays:
                observed = {order: arrays[f"{order}, observed"] for order in ORDERS}
                expected[model] = {order: arrays[f"{order}, expected"] for order in ORDERS}
        found.append(
            {
                order: PredictedOrder(observed[order], {model: sums[order] for model, sums in expected.items()})
                for order in ORDERS
            }
        )
    return RandomOrderResults(config, impressions // days * config.train_days, found)


def _sums(model: ranker.Model, simulator: Simulator, day: int, config: PipelineConfig) -> dict[str, Sums]:
    """Observed and expected outcomes of each session of a day, in both orders."""
    parts: dict[str, list[Sums]] = {f"{order}, {what}": [] for order in ORDERS for what in ("observed", "expected")}
    for candidates in simulator.sessions(day):
        orders = {RANDOM: candidates.random_order(), LOGGED: candidates.production_order()}
        for order, rows in orders.items():
            shown = candidates.show(rows).log
            scores = model.score(shown, keep=())
            starts = candidates.offsets[:-1]
            parts[f"{order}, observed"].append(_by_session(shown, [o.source for o in config.objectives], starts))
            parts[f"{order}, expected"].append(_by_session(scores, config.objective_names, starts))
    return {name: np.concatenate(sums) for name, sums in parts.items()}


def _by_session(table: pa.RecordBatch, columns: Sequence[str], starts: NDArray[np.int64]) -> Sums:
    values = np.stack([np.asarray(table.column(name), np.float64) for name in columns], axis=1)
    sums: Sums = np.add.reduceat(values, starts)
    return sums


def _keep(file: Path, arrays: dict[str, Any]) -> None:
    with atomic_file(file) as path, path.open("wb") as opened:
        np.savez_compressed(opened, **arrays)
