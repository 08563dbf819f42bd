"""The search itself: trials that a killed process leaves behind are run again, finished ones are never repeated."""

import itertools
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from pipeline.tune.days import TuningDays
from pipeline.tune.space import Setting, with_values
from ranker.command_line import make_console
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.mean_entropy import judged_objectives, mean_entropy, mean_entropy_growth
from ranker.feed_log.columns import columns_of
from ranker.feed_log.reading import LocatedRows
from ranker.files import delete
from ranker.forest.curve import TrainingCurve
from ranker.histories.tables import day_tables
from ranker.progress_bar import shown_progress
from ranker.scoring.evaluating import accumulated, evaluate_tables
from ranker.scoring.loading import LoadedModel, load_model
from ranker.towers.loss_watch import TrainingDivergedError
from ranker.training.run import run_training

if TYPE_CHECKING:
    from ranker.evaluation.accumulator import Accumulator

CURRENT = "current"
"""The attribute of the trial with the current config."""

_ROWS = 65_536
_STARTUP_TRIALS = 5  # trials that are never pruned
_PRUNED_BEYOND = 60.0  # percentile of the trials so far, at each step
_SEED = 1


@dataclass(frozen=True)
class Gain:
    """The best trial beside the current config, on one day.

    Attributes:
        growth: of the mean normalized entropy; negative is better.
        evaluation: all metrics of the best trial, compared with the current config.
    """

    growth: Estimate
    evaluation: Evaluation


class Search:
    """Trials of settings on the days of a log.

    Args:
        config: as it is.
        feed_log: the folder of day folders, a path or URI.
        days: which days are used for what.
        space: the searched settings.
        folder: the folder of this search: its journal, and the transformed rows that trials share.
        say: called with a line for every finished trial.
    """

    def __init__(
        self,
        config: PipelineConfig,
        feed_log: str,
        days: TuningDays,
        space: tuple[Setting, ...],
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._config, self._feed_log, self._days, self._space = config, feed_log, days, space
        self._folder, self._say, self._console = folder, say, make_console(stderr=True)
        folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(folder / "journal.log"))),
            study_name="tune",
            direction="minimize",
            load_if_exists=True,
            pruner=optuna.pruners.PercentilePruner(_PRUNED_BEYOND, n_startup_trials=_STARTUP_TRIALS),
        )
        self._study.sampler = optuna.samplers.TPESampler(
            seed=_SEED + len(self._study.trials), n_startup_trials=_STARTUP_TRIALS, multivariate=True
        )
        self._continue()

    def _continue(self) -> None:
        """Queues what a killed process did not finish, or the current config for a new search; removes its models."""
        for left in (*self._folder.glob("model-*"), *self._folder.glob("models-*")):
            delete(left)
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
        done = self._study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.WAITING))
        known = [trial.params or trial.system_attrs.get("fixed_params") for trial in done]
        for trial in self._study.get_trials(states=(TrialState.FAIL,)):
            if trial.params and trial.params not in known:
                self._study.enqueue_trial(trial.params, user_attrs=trial.user_attrs)
                known.append(trial.params)
        if not any(trial.user_attrs.get(CURRENT) for trial in self._study.trials if trial.state != TrialState.FAIL):
            values = {setting.path: setting.current(self._config) for setting in self._space}
            inside = {path: value for path, value in values.items() if value is not None}
            self._study.enqueue_trial(inside, user_attrs={CURRENT: True})

    @property
    def finished(self) -> int:
        """Trials that are complete or pruned."""
        return len(self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))

    @property
    def best(self) -> tuple[int, float, PipelineConfig]:
        """Number, value and config of the best trial."""
        trial = self._study.best_trial
        return trial.number, float(trial.value or math.nan), self._config_of(trial)

    @property
    def current(self) -> float:
        """The value of the current config."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if trial.user_attrs.get(CURRENT):
                return float(trial.value or math.nan)
        return math.nan

    def run(self, trials: int) -> None:
        """Runs trials until that many are finished, those of earlier processes included."""
        while (done := self.finished) < trials:
            self._study.optimize(self._objective, n_trials=1)
            self._report(done + 1, trials)

    def gain(self) -> Gain:
        """Trains the best trial and the current config on the days before the day of the comparison.

        Raises:
            ValueError: the training of one of them diverges there.
        """
        _, _, best = self.best
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="models-") as folder:
            try:
                ours, theirs = (
                    self._trained(config, self._days.confirm, Path(folder) / name, lambda curve: None)
                    for name, config in (("best", best), ("current", self._config))
                )
            except TrainingDivergedError as error:
                raise ValueError(f"the best trial, for {self._days.confirm}: {error}") from None
            sums = accumulated(ours, self._tables(self._days.confirm), theirs)
            growth = mean_entropy_growth(sums, _judged(sums, self._days.confirm))
            return Gain(growth, evaluate_tables(ours, self._tables(self._days.confirm), theirs))

    def _objective(self, trial: optuna.Trial) -> float:
        is_current = bool(trial.user_attrs.get(CURRENT))
        values = {setting.path: setting.suggest(trial) for setting in self._space}
        # A setting of the config outside the searched range is not among the values.
        config = self._config if is_current else with_values(self._config, values)
        entropies: list[float] = []
        steps = itertools.count()

        def report(value: float) -> None:
            trial.report(value, next(steps))
            if trial.should_prune() and not is_current:
                raise optuna.TrialPruned

        for day in self._days.search:
            with tempfile.TemporaryDirectory(dir=self._folder, prefix="model-") as folder:
                # The forest takes a part of the time, and its loss on the held-out viewers tells much.
                try:
                    model = self._trained(
                        config, day, Path(folder) / "model", lambda curve: report(_lowest(curve.validation))
                    )
                except TrainingDivergedError as error:
                    raise optuna.TrialPruned(str(error)) from None
                sums = accumulated(model, self._tables(day))
                entropies.append(mean_entropy(sums, _judged(sums, day)))
            report(sum(entropies) / len(entropies))
        return sum(entropies) / len(entropies)

    def _trained(
        self, config: PipelineConfig, day: date, folder: Path, on_forest: Callable[[TrainingCurve], None]
    ) -> LoadedModel:
        """A new model.

        Raises:
            TrainingDivergedError: as `run_training`, for a trial.
            ValueError: the same for the current config, with which no search is possible.
        """
        try:
            with shown_progress(self._console):
                run_training(config, self._feed_log, day, str(folder), self._folder / f"rows-{day}", on_forest)
        except TrainingDivergedError as error:
            if config == self._config:
                raise ValueError(f"the current config: {error}") from None
            raise
        return load_model(folder)

    def _tables(self, day: date) -> Iterator[LocatedRows]:
        config = self._config
        columns = columns_of(config.objectives, config.features, config.keys, config.timestamps, rows=config.rows)
        yield from day_tables(self._feed_log, day, columns, _ROWS)

    def _config_of(self, trial: optuna.trial.FrozenTrial) -> PipelineConfig:
        if trial.user_attrs.get(CURRENT):
            return self._config
        return with_values(self._config, {s.path: s.applied(trial.params[s.path]) for s in self._space})

    def _report(self, number: int, trials: int) -> None:
        trial = self._study.trials[-1]
        seconds = trial.duration.total_seconds() if trial.duration else 0.0
        if trial.state is TrialState.COMPLETE:
            best = self._study.best_trial
            text = f"{trial.value:.4f}, best {best.value:.4f} (trial {best.number})"
        else:
            text = f"pruned after {len(trial.intermediate_values)} of {2 * len(self._days.search)} steps"
        what = "the current config" if trial.user_attrs.get(CURRENT) else _shown(trial.params)
        self._say(f"trial {trial.number} ({number} of {trials}): {text}, {seconds:.0f} s; {what}")

    def tidy(self) -> None:
        """Removes the transformed rows; the journal stays."""
        for folder in self._folder.glob("rows-*"):
            delete(folder)


def _lowest(losses: Iterable[float]) -> float:
    """The lowest of the defined losses; infinity without any."""
    return min((loss for loss in losses if not math.isnan(loss)), default=math.inf)


def _judged(sums: "Accumulator", day: date) -> tuple[str, ...]:
    found = judged_objectives(sums)
    if not found:
        raise ValueError(f"tuning: on {day} no objective has outcomes of enough viewers to compare settings by")
    return found


def _shown(params: dict[str, Any]) -> str:
    shown = {path: f"{value:.2g}" if isinstance(value, float) else str(value) for path, value in params.items()}
    return ", ".join(f"{path}={value}" for path, value in shown.items())
