"""The real loop in the simulator: a pushed model, a server, the client, the feed log, record, suggest, report."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console

from datasets.synthetic.candidates import Candidates
from datasets.synthetic.feed import DEFAULT_START, generate
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.simulator import Simulator
from pipeline.local.day_plan import plan_day
from pipeline.local.day_run import prepare, run_day
from pipeline.local.run_summary import FAILED, exit_status
from pipeline.local.workdir import Workdir
from pipeline.tradeoff import main as tradeoff_command
from pipeline_config import FEED, FIRST_PASS
from ranker.config.names import input_name
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.writing import write_day
from ranker.registry.versions import find_serving_version
from research.quick import quick_config
from serving.client import FeedRankerClient
from serving.server import serve

TRAIN_DAYS = 3
_IMPRESSIONS, _QUICK_IMPRESSIONS = 16_000, 5_000
_ARMS, _QUICK_ARMS = 4, 1
_SEED = 7
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Loop:
    """The settings of a loop.

    Attributes:
        folder: for log, model and state.
        rounds: days that are ranked by arms.
        quick: a small model on few impressions.
    """

    folder: Path
    rounds: int
    quick: bool = False

    @property
    def log(self) -> Path:
        """The feed log."""
        return self.folder / "log"

    @property
    def state(self) -> Path:
        """The folder of the experiment."""
        return self.folder / "state"

    @property
    def arms(self) -> int:
        """Settings that are tested at a time."""
        return _QUICK_ARMS if self.quick else _ARMS

    @property
    def parameters(self) -> FeedParameters:
        """Of the simulated feed."""
        return FeedParameters(_QUICK_IMPRESSIONS if self.quick else _IMPRESSIONS, _SEED, DEFAULT_START)

    @property
    def config(self) -> PipelineConfig:
        """That of the built-in feed, which declares a trade-off to tune."""
        return replace(quick_config(), towers=FIRST_PASS.towers) if self.quick else FEED


def run_loop(loop: Loop, console: Console) -> None:
    """Trains and serves a model, then ranks, logs, records and suggests, round by round.

    Raises:
        RuntimeError: a component or a command failed.
    """
    parameters = loop.parameters
    generate(
        loop.log,
        days=TRAIN_DAYS,
        impressions_per_day=parameters.impressions_per_day,
        seed=parameters.seed,
        start=parameters.start,
    )
    model = _train(loop)
    console.print(f"pushed {model.name}", highlight=False)
    rank_rounds(loop, model, console)


def rank_rounds(loop: Loop, model: Path, console: Console) -> None:
    """Everything after training, with a pushed model."""
    day = loop.parameters.start + timedelta(days=TRAIN_DAYS - 1)
    _command(
        "suggest", loop, "--feed-log", str(loop.log), "--model", str(model), "--day", str(day), "--arms", str(loop.arms)
    )
    simulator = Simulator(loop.parameters)
    with (
        serve(model, FEED.name) as address,
        FeedRankerClient(address, FEED.name, timeout_s=_TIMEOUT_S, arms=loop.state / "arms.json") as client,
    ):
        for number in range(TRAIN_DAYS, TRAIN_DAYS + loop.rounds):
            day = loop.parameters.start + timedelta(days=number)
            write_day(loop.log, day, [_shown(loop, client, of) for of in simulator.sessions(number)])
            _command("record", loop, "--feed-log", str(loop.log), "--day", str(day))
            _command("suggest", loop, "--arms", str(loop.arms))
            console.print(f"round of {day}", highlight=False)
    _command("report", loop)


def _train(loop: Loop) -> Path:
    """A model by the pipeline's run for the newest day of the log."""
    workdir = Workdir(loop.folder / "workdir")
    with workdir.lock():
        day = loop.parameters.start + timedelta(days=TRAIN_DAYS - 1)
        summary = run_day(
            prepare(plan_day(loop.config, workdir, loop.log, day)), "loop", lambda component: None, lambda run: None
        )
    version = find_serving_version(str(workdir.serving_model))
    if exit_status(summary) == FAILED or version is None:
        raise RuntimeError(f"{loop.folder}: no model was pushed: {summary.failure or 'a gate refused it'}")
    return workdir.serving_model / version


def _shown(loop: Loop, client: FeedRankerClient, candidates: Candidates) -> pa.RecordBatch:
    """The log of a batch of sessions, each ranked by its viewer's arm."""
    orders, arms, propensities = [], [], []
    for begin, end in zip(candidates.offsets[:-1].tolist(), candidates.offsets[1:].tolist(), strict=True):
        session = candidates.table.slice(begin, end - begin)
        ranking = client.rank(_features(loop.config, session), viewer=session["viewer_id"][0].as_py())
        orders.append(begin + ranking.order.astype(np.int64))
        arms += [ranking.arm] * (end - begin)
        propensities += [ranking.arm_propensity] * (end - begin)
    log = candidates.show(np.concatenate(orders)).log
    return log.append_column("arm", pa.array(arms)).append_column("arm_propensity", pa.array(propensities))


def _features(config: PipelineConfig, session: pa.RecordBatch) -> dict[str, Any]:
    """The features of a request."""
    features = config.features
    values: dict[str, Any] = {}
    for name in features.numeric_names:
        values[name] = session[name].to_numpy(zero_copy_only=False).astype(np.float32)
    for categorical in features.categorical:
        values[categorical.name] = [
            "" if value is None else str(value) for value in session[categorical.name].to_pylist()
        ]
    for multi_valued in features.multi_valued:
        values[multi_valued.name] = [value or [] for value in session[multi_valued.name].to_pylist()]
    for dense in features.dense:
        values[dense.name] = np.array(session[dense.name].to_pylist(), np.float32)
    return {input_name(name): value for name, value in values.items()}


def _command(name: str, loop: Loop, *options: str) -> None:
    """Runs `python -m pipeline.tradeoff` for the built-in feed's config."""
    if status := tradeoff_command([name, "--config", FEED.name, "--state", str(loop.state), *options]):
        raise RuntimeError(f"pipeline.tradeoff {name}: exit status {status}")
