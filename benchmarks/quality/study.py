"""Trains every model for every held-out day and seed, and keeps what it predicted."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

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


def compare(feed: Feed, models: Mapping[str, Model], seeds: Sequence[int], work: Path, console: Console) -> Results:
    """Predicts all held-out days with all models, pools the days, and judges.

    Args:
        feed: the feed logs and days.
        models: name → model.
        seeds: each model is trained once for each.
        work: where predictions are kept; those that are there are not made again.
        console: where progress goes.
    """
    predictions: dict[str, list[list[NDArray[np.float32]]]] = {name: [[] for _ in seeds] for name in models}
    labels, buckets = [], []
    for log, day in feed.days:
        prepared = held_out_day(feed.config, log, day, work / f"{feed.name}-{log.name}-{day}", console)
        labels.append(prepared.test.labels)
        buckets.append(prepared.test.buckets)
        kept = work / "predictions" / _fingerprint(prepared)
        for index, seed in enumerate(seeds):
            for name, model in models.items():
                file = kept / f"{name.replace(' ', '_')}-{seed}.npy"
                if not file.is_file():
                    console.print(f"{day}, seed {seed}: {name}")
                    keep(file, model(prepared, seed))
                predictions[name][index].append(np.load(file))
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


def _fingerprint(day: HeldOutDay) -> str:
    """Names what the predictions of a day depend on, besides model and seed: its rows, the config and the code."""
    parts = (str(day.source), to_json(day.config), code_fingerprint("ranker", "benchmarks.quality"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def keep(file: Path, predictions: NDArray[np.float32]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.stem}.part.npy")
    np.save(aside, predictions)
    aside.replace(file)
