"""In the loop: every arm ranks each day with a model of its own log, so its own choices decide what it learns from.

All arms start from the same days, which the production ranker showed. Then each day is ranked, shown, and written to
the arm's log. Our arms are the product: the pipeline's daily run, with warm starts, gates and Pusher; one has
EffectsTrainer, too. An arm without such code is fitted anew each day, on the same days as our pipeline trains on.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console

from datasets.synthetic.simulator import Simulator
from pipeline.local.day_plan import plan_day
from pipeline.local.day_run import prepare, run_day
from pipeline.local.run_summary import FAILED, exit_status
from pipeline.local.workdir import Workdir
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.writing import day_folder, write_day
from ranker.files import atomic_file
from ranker.registry.versions import find_serving_version
from research.online.arms import MODEL_ARMS, Order, PredictedDay, arm_names, row_index, untrained_arms
from research.online.behaviours import Behaviour
from research.online.engagement import Engagement, engagement
from research.online.results import OnlineResults
from research.online.served import ServedModel
from research.quality.names import OURS, WITH_EFFECTS
from research.quality.random_effects.effects import effects_of
from research.quality.rows import held_out_day
from research.quality.study import predictions_of

FIRST_DAYS = 3
"""Days of the production ranker before the arms take over: our pipeline trains on the first two and evaluates on the
third."""


@dataclass(frozen=True)
class Loop:
    """The settings of a loop.

    Attributes:
        config: of the pipeline.
        behaviour: of the simulator.
        impressions_per_day: candidates of each day.
        days: ranked by the arms, after FIRST_DAYS.
        trained: some of `MODEL_ARM_NAMES`; ours, with and without effects, run the pipeline.
        work: folder for logs, models and results; an arm continues after the last day that it has finished.
    """

    config: PipelineConfig
    behaviour: Behaviour
    impressions_per_day: int
    days: int
    trained: Sequence[str]
    work: Path

    def folder(self, seed: int, arm: str) -> Path:
        """The folder of an arm."""
        return self.work / f"loop-{self.behaviour.name}-{self.impressions_per_day}-{seed}" / arm.replace(" ", "_")


def run_loop(loop: Loop, seeds: Sequence[int], console: Console) -> OnlineResults:
    """Runs all arms on the feeds of all seeds.

    Raises:
        RuntimeError: a component of the pipeline failed.
    """
    names = arm_names(loop.trained)
    ranked = [{name: _arm(loop, seed, name, console) for name in names} for seed in seeds]
    return OnlineResults(
        loop.behaviour.title,
        loop.impressions_per_day * loop.days,
        loop.impressions_per_day * FIRST_DAYS,
        loop.config.utility,
        [{name: np.concatenate(days) for name, days in arms.items()} for arms in ranked],
        # The sessions of a day are the same for all arms.
        [[len(day) for day in next(iter(arms.values()))] for arms in ranked],
    )


def _arm(loop: Loop, seed: int, name: str, console: Console) -> list[Engagement]:
    """An arm's engagement per session of each day."""
    simulator = Simulator(loop.behaviour.parameters(loop.impressions_per_day, seed))
    folder = loop.folder(seed, name)
    days = []
    for number in range(FIRST_DAYS, FIRST_DAYS + loop.days):
        file = folder / "engagement" / f"day-{number}.npy"
        if not file.exists():
            order = _order(loop, seed, name, number, console)
            values = _show(loop, simulator, number, order, folder / "log" if name in loop.trained else None)
            with atomic_file(file) as path, path.open("wb") as opened:
                np.save(opened, values)
            console.print(f"{loop.behaviour.title}, seed {seed}, day {number}: {name}", highlight=False)
        days.append(np.load(file))
    return days


def _order(loop: Loop, seed: int, name: str, number: int, console: Console) -> Order:
    if name not in loop.trained:
        return untrained_arms(loop.config)[name]
    folder = loop.folder(seed, name)
    parameters = loop.behaviour.parameters(loop.impressions_per_day, seed)
    loop.behaviour.log(folder / "log", parameters, FIRST_DAYS)
    if name in (OURS, WITH_EFFECTS):
        return _pipeline_run(config_of(name, loop.config), folder, _date(loop, number - 1))
    return _fitted_anew(loop, seed, name, number, console)


def config_of(arm: str, config: PipelineConfig) -> PipelineConfig:
    """The config that the pipeline's run of an arm has: `WITH_EFFECTS` alone has effects."""
    return replace(config, effects=effects_of(config) if arm == WITH_EFFECTS else None)


def _pipeline_run(config: PipelineConfig, folder: Path, day: date) -> Order:
    """The pipeline's run for the newest day of the arm's log, and the model that serves after it."""
    workdir = Workdir(folder / "workdir")
    with workdir.lock():
        prepared = prepare(plan_day(config, workdir, folder / "log", day))
        summary = run_day(prepared, f"loop_{day}", lambda component: None, lambda run: None)
    if exit_status(summary) == FAILED:
        raise RuntimeError(f"{folder}: {day}: {summary.failure}")
    version = find_serving_version(str(workdir.serving_model))
    if version is None:
        # No model has been blessed so far, so the production ranker continues.
        return lambda candidates: candidates.production_order()
    return ServedModel(workdir.serving_model / version, config)


def _fitted_anew(loop: Loop, seed: int, name: str, number: int, console: Console) -> Order:
    """A model of the days before the newest, as our pipeline trains on; its predictions for the day to rank."""
    folder, day = loop.folder(seed, name), _date(loop, number)
    scratch = folder / "to_rank"
    if scratch.exists():
        shutil.rmtree(scratch)
    log = scratch / "log"
    for before in range(number - 1):
        shutil.copytree(day_folder(folder / "log", _date(loop, before)), day_folder(log, _date(loop, before)))
    # The day to rank has no outcomes yet. The production ranker's stand in for them, and no model reads them.
    parameters = loop.behaviour.parameters(loop.impressions_per_day, seed)
    write_day(log, day, (shown.log for shown in Simulator(parameters).day(number)))
    config = loop.config
    prepared = held_out_day(config, log, day, scratch / "work", console)
    # The log grows in the first days only. After that, each day's settings would differ by chance alone.
    settings = folder / "settings" / f"days-{min(number - 1, config.train_days)}"
    [predicted] = predictions_of(prepared, {name: MODEL_ARMS[name]}, [seed], scratch, 1, console, settings)[name]
    order = PredictedDay(row_index(prepared), predicted, config)
    shutil.rmtree(scratch)
    return order


def _show(loop: Loop, simulator: Simulator, number: int, order: Order, log: Path | None) -> Engagement:
    """Shows a day in the arm's order: the engagement of each session.

    `log` receives the day. There, some sessions are in random order, as in every log of the feed; the engagement is
    that of the arm's own order.
    """
    parts: list[Engagement] = []
    shown: list[pa.RecordBatch] = []
    for candidates in simulator.sessions(number):
        own = order(candidates)
        parts.append(engagement(candidates, own, loop.config.objectives))
        if log is not None:
            shown.append(candidates.show(candidates.with_exploration(own), candidates.explored).log)
    if log is not None:
        write_day(log, _date(loop, number), shown, overwrite=True)
    return np.concatenate(parts)


def _date(loop: Loop, number: int) -> date:
    return loop.behaviour.parameters(loop.impressions_per_day, 0).start + timedelta(days=number)
