"""Trains every model for every held-out day and seed, and keeps what it predicted."""

import hashlib
import logging
import multiprocessing
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from rich.console import Console
from threadpoolctl import threadpool_limits

from benchmarks.quality.models import Model
from benchmarks.quality.rows import HeldOutDay, held_out_day
from benchmarks.quality.statistics import Judged, bootstrap_weights, judge
from pipeline.config import PipelineConfig, to_json
from pipeline.fingerprint import code_fingerprint


@dataclass(frozen=True)
class Feed:
    """A feed log to compare models on.

    Attributes:
        name: of the feed.
        config: what is learnt from which columns.
        days: each held-out day with the folder of its feed log.
    """

    name: str
    config: PipelineConfig
    days: tuple[tuple[Path, date], ...]


@dataclass(frozen=True)
class Results:
    """Every model's predictions judged, objective by objective.

    Attributes:
        feed: what was predicted.
        seeds: how often each model was trained for each day.
        rows: impressions of the held-out days.
        positives: of each objective.
        judged: model name → one `Judged` per objective.
    """

    feed: Feed
    seeds: int
    rows: int
    positives: tuple[int, ...]
    judged: Mapping[str, tuple[Judged, ...]]


def compare(
    feed: Feed, models: Mapping[str, Model], seeds: Sequence[int], work: Path, processes: int, console: Console
) -> Results:
    """Predicts all held-out days with all models, pools the days, and judges.

    Args:
        feed: the feed logs and days.
        models: name → model, a function of a module, which other processes can find.
        seeds: each model is trained once for each.
        work: where predictions are kept; those that are there are not made again.
        processes: days and seeds that are trained at a time, each on one thread.
        console: where progress goes.
    """
    predictions: dict[str, list[list[NDArray[np.float32]]]] = {name: [[] for _ in seeds] for name in models}
    labels, buckets = [], []
    for log, day in feed.days:
        prepared = held_out_day(feed.config, log, day, work / f"{feed.name}-{log.name}-{day}", console)
        labels.append(prepared.test.labels)
        buckets.append(prepared.test.buckets)
        kept = work / "predictions" / _fingerprint(prepared)
        _predict_missing(prepared, models, seeds, kept, processes, console)
        for index, seed in enumerate(seeds):
            for name in models:
                predictions[name][index].append(np.load(_file(kept, name, seed)))
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
    positives = tuple(int(n) for n in pooled_labels.sum(axis=0))
    return Results(feed, len(seeds), len(pooled_labels), positives, judged)


def _predict_missing(
    day: HeldOutDay, models: Mapping[str, Model], seeds: Sequence[int], kept: Path, processes: int, console: Console
) -> None:
    work = [(seed, [name for name in models if not _file(kept, name, seed).is_file()]) for seed in seeds]
    missing = [(seed, names) for seed, names in work if names]
    if processes == 1:
        for seed, names in missing:
            for name in names:
                console.print(f"{day.day}, seed {seed}: {name}")
                keep(_file(kept, name, seed), models[name](day, seed))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_on_one_thread) as pool:
        started = {
            pool.submit(_predict, day, seed, {name: models[name] for name in names}, kept): seed
            for seed, names in missing
        }
        for future in as_completed(started):
            future.result()
            console.print(f"{day.day}, seed {started[future]}: done")


def _predict(day: HeldOutDay, seed: int, models: Mapping[str, Model], kept: Path) -> None:
    # XGBoost and scikit-learn would otherwise start as many threads as there are cores in every process.
    with threadpool_limits(1):
        for name, model in models.items():
            keep(_file(kept, name, seed), model(day, seed))


def _on_one_thread() -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _file(kept: Path, model: str, seed: int) -> Path:
    return kept / f"{model.replace(' ', '_')}-{seed}.npy"


def _fingerprint(day: HeldOutDay) -> str:
    """Names what the predictions of a day depend on, besides model and seed: its rows, the config and the code."""
    code = code_fingerprint(
        *("ranker.forest", "ranker.towers", "benchmarks.quality.experts"),
        *(
            "benchmarks.quality.ceiling",
            "benchmarks.quality.models",
            "benchmarks.quality.rows",
            "benchmarks.quality.towers",
        ),
    )
    parts = (str(day.source), to_json(day.config), code)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def keep(file: Path, predictions: NDArray[np.float32]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.stem}.part.npy")
    np.save(aside, predictions)
    aside.replace(file)
