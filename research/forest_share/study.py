"""Trains the variants on a feed, and collects what they are measured on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.part_run import run_up_to
from datasets.synthetic.simulator import Simulator
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.session_rows import Hashes
from ranker.feed_log.writing import day_folder
from research.forest_share.costs import CANDIDATES, Cost, costs, exported
from research.forest_share.inputs import narrowed, with_inputs
from research.forest_share.measuring import WARM_FROM, ForestShareResults, RankedSessions, Sample
from research.forest_share.names import BOTH
from research.forest_share.variants import Variant, compared_models, stored_forest
from research.online.arms import CONTROL, POSSIBLE, Order, PredictedDay, row_index, untrained_arms
from research.online.behaviours import Behaviour
from research.online.engagement import Engagement, engagement
from research.quality.logged import impressions_per_viewer, logged_columns, training_days
from research.quality.rows import HeldOutDay, Probabilities, held_out_day
from research.quality.sessions import sessions_of
from research.quality.study import predictions_of


@dataclass(frozen=True, eq=False)
class PreparedDay:
    """A held-out day, and whose its rows are.

    Attributes:
        log: folder of the feed log.
        run: folder of the pipeline's run.
        day: the rows, with ids and histories.
        warm: bool [test rows], of viewers with at least `WARM_FROM` impressions in the training days.
        known: viewer → impressions in the training days.
    """

    log: Path
    run: Path
    day: HeldOutDay
    warm: NDArray[np.bool_]
    known: Mapping[object, int]


def prepared_day(
    config: PipelineConfig, log: Path, day: date, work: Path, trained_on: int | None, console: Console
) -> PreparedDay:
    """Runs the pipeline up to Transform, unless `work` has that run, and counts the impressions of viewers.

    Args:
        config: with ids and histories.
        log: folder of the feed log.
        day: that is held out.
        work: folder for the run.
        trained_on: about how many impressions are trained on, all those of some viewers; None for all.
        console: shows progress.
    """
    run = work / f"{log.name}-{day}"
    rows = held_out_day(config, log, day, run, console)
    viewer = config.keys.viewer
    known = impressions_per_viewer(log, training_days(log, rows), viewer).to_dict()
    viewers = logged_columns(log, [day], rows, rows.test, [viewer])[viewer].to_pylist()
    warm = np.array([known.get(one, 0) >= WARM_FROM for one in viewers])
    if trained_on is not None:
        rows = rows.of_some_viewers(trained_on)
        warm &= np.isin(rows.test.buckets, rows.train.buckets)
    return PreparedDay(log, run, rows, warm, known)


def simulated(
    config: PipelineConfig,
    behaviour: Behaviour,
    impressions: int,
    seeds: Sequence[int],
    chosen: Sequence[Variant],
    work: Path,
    rounds: int,
    console: Console,
) -> ForestShareResults:
    """Measures the variants on simulated feeds, one per seed.

    Args:
        config: of the pipeline.
        behaviour: of the simulator.
        impressions: of a feed, over all days.
        seeds: each is the seed of a feed and of its trainings.
        chosen: the variants.
        work: folder for everything that is made; what is there is not made again.
        rounds: how often a session is scored to measure its cost.
        console: shows progress.
    """
    both, days = with_inputs(config, BOTH), config.train_days + 1
    samples, cost, trained_on = [], None, 0
    for seed in seeds:
        feed = behaviour.feed(work, impressions, days, seed)
        prepared = prepared_day(both, feed.log, feed.newest, work, None, console)
        predicted = predictions(prepared.day, chosen, [seed], work, console)
        orders = untrained_arms(both)
        rows = row_index(prepared.day)
        arms: dict[str, Order] = {name: orders[name] for name in (CONTROL, POSSIBLE)}
        arms |= {variant.name: PredictedDay(rows, of_seed, both) for variant, [of_seed] in predicted.items()}
        ranked = rank_sessions(arms, Simulator(feed.parameters), feed.day, both, prepared.known)
        samples.append(
            _sample([_outcomes(prepared)], {variant: of_seed for variant, [of_seed] in predicted.items()}, ranked)
        )
        trained_on += len(prepared.day.train.labels)
        cost = cost or _costs(prepared, chosen, seed, work, rounds, console)
    return ForestShareResults("feed", both, trained_on // len(seeds), samples, cost or {})


def held_out(
    name: str,
    config: PipelineConfig,
    days: Sequence[tuple[Path, date]],
    trained_on: int | None,
    seeds: Sequence[int],
    chosen: Sequence[Variant],
    work: Path,
    rounds: int,
    console: Console,
) -> ForestShareResults:
    """Measures the variants on held-out days of a feed log, pooled.

    Args:
        name: of the feed.
        config: of the pipeline.
        days: each held-out day with the folder of its feed log.
        trained_on: see `prepared_day`.
        seeds: of the trainings.
        chosen, work, rounds, console: as for `simulated`.
    """
    both = with_inputs(config, BOTH)
    kept: list[_Outcomes] = []
    predicted: list[dict[Variant, list[Probabilities]]] = []
    cost, rows = None, 0
    for log, day in days:
        own = prepared_day(both, log, day, work, trained_on, console)
        predicted.append(predictions(own.day, chosen, seeds, work, console))
        # A day's features are large, and not read again.
        kept.append(_outcomes(own))
        rows += len(own.day.train.labels)
        cost = cost or _costs(own, chosen, seeds[0], work, rounds, console)
    samples = [
        _sample(
            kept,
            {variant: np.concatenate([of_day[variant][number] for of_day in predicted]) for variant in chosen},
        )
        for number in range(len(seeds))
    ]
    return ForestShareResults(name, both, rows // len(days), samples, cost or {})


def predictions(
    day: HeldOutDay, chosen: Sequence[Variant], seeds: Sequence[int], work: Path, console: Console
) -> dict[Variant, list[Probabilities]]:
    """Every variant's predictions of the held-out rows, one array per seed."""
    models = compared_models(chosen, work / "forests")
    named = {variant.name: model for variant, model in models.items()}
    found = predictions_of(day, named, seeds, work, 1, console)
    return {variant: found[variant.name] for variant in chosen}


def rank_sessions(
    arms: Mapping[str, Order], simulator: Simulator, day: int, config: PipelineConfig, known: Mapping[object, int]
) -> RankedSessions:
    """The engagement of every arm on the sessions of a day, counted from the feed's start.

    Args:
        arms: name → order.
        simulator: of the feed.
        day: that is ranked.
        config: of the pipeline.
        known: viewer → impressions in the training days.
    """
    parts: dict[str, list[Engagement]] = {name: [] for name in arms}
    warm: list[bool] = []
    for candidates in simulator.sessions(day):
        viewers = candidates.table.column(config.keys.viewer).take(pa.array(candidates.offsets[:-1])).to_pylist()
        warm += [known.get(one, 0) >= WARM_FROM for one in viewers]
        for name, order in arms.items():
            parts[name].append(engagement(candidates, order(candidates), config.objectives))
    return RankedSessions(np.array(warm), {name: np.concatenate(values) for name, values in parts.items()})


@dataclass(frozen=True, eq=False)
class _Outcomes:
    """What predictions of a day are compared with; see `Sample`."""

    labels: NDArray[np.float32]
    buckets: NDArray[np.int64]
    sessions: Hashes
    warm: NDArray[np.bool_]


def _outcomes(prepared: PreparedDay) -> _Outcomes:
    test = prepared.day.test
    return _Outcomes(test.labels, test.buckets, sessions_of(prepared.log, prepared.day), prepared.warm)


def _sample(
    days: Sequence[_Outcomes], predicted: Mapping[Variant, Probabilities], ranked: RankedSessions | None = None
) -> Sample:
    return Sample(
        labels=np.concatenate([day.labels for day in days]),
        buckets=np.concatenate([day.buckets for day in days]),
        sessions=np.concatenate([day.sessions for day in days]),
        warm=np.concatenate([day.warm for day in days]),
        predicted=predicted,
        ranked=ranked,
    )


def _costs(
    prepared: PreparedDay, chosen: Sequence[Variant], seed: int, work: Path, rounds: int, console: Console
) -> dict[Variant, Cost]:
    day = prepared.day
    console.print(f"{day.day}: bytes and milliseconds", highlight=False)
    artifacts = run_up_to("Transform", day.config, prepared.log, day.day, prepared.run, Console(quiet=True))
    models = []
    for variant in chosen:
        config = variant.config(day.config)
        forest, _ = stored_forest(day, config, seed, work / "forests")
        models.append(exported(narrowed(day, config), config, forest, artifacts, work / "models"))
    folder = day_folder(prepared.log, day.day)
    candidates = arrow.dataset(folder, format="parquet").head(CANDIDATES)
    return dict(zip(chosen, costs(models, candidates, rounds), strict=True))
