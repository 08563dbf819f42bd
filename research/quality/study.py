"""Trains every model for every held-out day and seed, and stores its predictions."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from threadpoolctl import threadpool_limits

from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.session_sums import UtilityWeights
from ranker.files import atomic_file, write_text
from research.processes import forking_context, quiet_on_one_thread
from research.quality.encoded import grown_forest
from research.quality.models import ComparedModel
from research.quality.rankings import JudgedRanking, judge_ranking
from research.quality.rows import HeldOutDay, Probabilities, held_out_day
from research.quality.sessions import sessions_of
from research.quality.slices import Cell, cells, slices_of
from research.quality.statistics import Judged, bootstrap_weights, judge


@dataclass(frozen=True)
class Feed:
    """A feed log to compare models on.

    Attributes:
        name: of the feed.
        config: of the pipeline.
        days: each held-out day with the folder of its feed log.
        trained_on: about how many impressions the models are trained on, all those of some viewers; None for all.
    """

    name: str
    config: PipelineConfig
    days: tuple[tuple[Path, date], ...]
    trained_on: int | None = None


@dataclass(frozen=True)
class QualityResults:
    """Metrics of every model's predictions.

    Attributes:
        feed: the feed.
        seeds: number of trainings of each model per day.
        rows: impressions of the held-out days.
        positives: of each objective.
        judged: model name → one `Judged` per objective.
        rankings: model name → its session metrics.
        cells: O/E by slice and objective.
    """

    feed: Feed
    seeds: int
    rows: int
    positives: tuple[int, ...]
    judged: Mapping[str, tuple[Judged, ...]]
    rankings: Mapping[str, JudgedRanking]
    cells: Sequence[Cell]


@dataclass(frozen=True)
class _Training:
    """One model and seed of a day.

    Attributes:
        model, name: of the model.
        seed: of the training.
        settings: file of the model's settings for the day.
        file: file of the predictions.
    """

    model: ComparedModel
    name: str
    seed: int
    settings: Path
    file: Path


def compare(
    feed: Feed, models: Mapping[str, ComparedModel], seeds: Sequence[int], work: Path, processes: int, console: Console
) -> QualityResults:
    """Predicts all held-out days with all models, pools the days, and computes the metrics.

    Args:
        feed: the feed logs and days.
        models: name → model; its functions must be importable by other processes.
        seeds: each model is trained once per seed.
        work: folder for predictions; existing ones are not computed again.
        processes: number of days and seeds that are trained at a time, each on one thread.
        console: shows progress.
    """
    predictions: dict[str, list[list[NDArray[np.float32]]]] = {name: [[] for _ in seeds] for name in models}
    labels, buckets, sessions, slices = [], [], [], []
    for log, day in feed.days:
        prepared = held_out_day(feed.config, log, day, work / f"{feed.name}-{log.name}-{day}", console)
        if feed.trained_on is not None:
            prepared = prepared.of_some_viewers(feed.trained_on)
        labels.append(prepared.test.labels)
        buckets.append(prepared.test.buckets)
        sessions.append(sessions_of(log, prepared))
        slices.append(slices_of(prepared))
        for name, by_seed in predictions_of(prepared, models, seeds, work, processes, console).items():
            for kept, predicted in zip(predictions[name], by_seed, strict=True):
                kept.append(predicted)
    pooled_labels, pooled_buckets = np.concatenate(labels), np.concatenate(buckets)
    pooled = {name: np.stack([np.concatenate(days) for days in by_seed]) for name, by_seed in predictions.items()}
    weights = bootstrap_weights()
    judged = {
        name: tuple(
            judge(pooled_labels[:, objective], pooled_buckets, found[:, :, objective], weights)
            for objective in range(pooled_labels.shape[1])
        )
        for name, found in pooled.items()
    }
    utility = UtilityWeights.of(feed.config.utility, feed.config.objectives)
    pooled_sessions = np.concatenate(sessions)
    rankings = {
        name: judge_ranking(pooled_sessions, pooled_buckets, pooled_labels, found, utility, weights)
        for name, found in pooled.items()
    }
    positives = tuple(int(n) for n in pooled_labels.sum(axis=0))
    pooled_slices = {columns: np.concatenate([of[columns] for of in slices]) for columns in feed.config.slices}
    by_slice = cells(pooled_slices, feed.config.objective_names, pooled_labels, pooled)
    return QualityResults(feed, len(seeds), len(pooled_labels), positives, judged, rankings, by_slice)


def predictions_of(
    day: HeldOutDay,
    models: Mapping[str, ComparedModel],
    seeds: Sequence[int],
    work: Path,
    processes: int,
    console: Console,
    settings: Path | None = None,
) -> dict[str, list[Probabilities]]:
    """Each model's predictions of the held-out rows, one array per seed.

    Args:
        day, models, seeds, work, processes, console: as for `compare`.
        settings: a folder of settings that several days share: each model chooses its own on the first day that asks.
            None chooses them for every day.
    """
    # Computed once: the file names depend on the code, which may be edited during a long run.
    trainings = [
        _Training(
            *(model, name, seed),
            settings=_settings_file(work, day, name, model, settings),
            file=_file(work, day, name, model, seed, settings),
        )
        for seed in seeds
        for name, model in models.items()
    ]
    _predict_missing(day, trainings, processes, console)
    found: dict[str, list[Probabilities]] = {name: [] for name in models}
    for training in trainings:
        found[training.name].append(np.load(training.file))
    return found


def _predict_missing(day: HeldOutDay, trainings: Sequence[_Training], processes: int, console: Console) -> None:
    trainings = [training for training in trainings if not training.file.is_file()]
    seeds = sorted({training.seed for training in trainings})
    to_tune = {training.name: training for training in trainings if training.model.tune}
    if processes == 1:
        for training in to_tune.values():
            console.print(f"{day.day}: settings of {training.name}")
            _tune(day, training)
        for training in trainings:
            console.print(f"{day.day}, seed {training.seed}: {training.name}")
            _predict(day, [training])
        return
    context = forking_context()
    with ProcessPoolExecutor(processes, mp_context=context, initializer=quiet_on_one_thread) as pool:
        tuning = {pool.submit(_limited, _tune, day, training): name for name, training in to_tune.items()}
        # Trainings of one seed that have nothing to tune share a forest.
        together = [[t for t in trainings if t.seed == seed and not t.model.tune] for seed in seeds]
        started = {pool.submit(_limited, _predict, day, some): some for some in together if some}
        for future in as_completed(tuning):
            future.result()
            console.print(f"{day.day}: settings of {tuning[future]} chosen")
            alone = [training for training in trainings if training.name == tuning[future]]
            started |= {pool.submit(_limited, _predict, day, [training]): [training] for training in alone}
        for future in as_completed(started):
            future.result()
            names = ", ".join(training.name for training in started[future])
            console.print(f"{day.day}, seed {started[future][0].seed}: {names} done")


def _tune(day: HeldOutDay, training: _Training) -> None:
    if training.model.tune is None or training.settings.is_file():
        return
    settings = training.model.tune(day)
    write_text(training.settings, json.dumps(settings))


def _predict(day: HeldOutDay, trainings: Sequence[_Training]) -> None:
    for training in trainings:
        settings = () if training.model.tune is None else (json.loads(training.settings.read_text()),)
        keep(training.file, training.model.predict(day, training.seed, *settings))


def _limited(function: Callable[..., None], *arguments: Any) -> None:
    # Otherwise XGBoost and scikit-learn would start one thread per core in every process.
    with threadpool_limits(1):
        function(*arguments)
    # The next task has its own copy of the day, so the leaves of this copy would only take up memory.
    grown_forest.cache_clear()


def _file(work: Path, day: HeldOutDay, name: str, model: ComparedModel, seed: int, settings: Path | None) -> Path:
    """The file of predictions; its name contains everything that they depend on."""
    of_others = "-shared" if settings and model.tune else ""
    file = f"{name.replace(' ', '_')}-{day.day}-{seed}-{model.fingerprint(day)}{of_others}.npy"
    return work / "predictions" / file


def _settings_file(work: Path, day: HeldOutDay, name: str, model: ComparedModel, settings: Path | None) -> Path:
    if settings:
        return settings / f"{name.replace(' ', '_')}-{model.recipe(day.config)}.json"
    return work / "settings" / f"{name.replace(' ', '_')}-{day.day}-{model.fingerprint(day)}.json"


def keep(file: Path, predictions: NDArray[np.float32]) -> None:
    # np.save adds the suffix .npy to a path, but not to an open file.
    with atomic_file(file) as path, path.open("wb") as opened:
        np.save(opened, predictions)
