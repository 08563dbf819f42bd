"""How the speed of the forest's training depends on the number of rows, and what growing trees on a sample costs."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.full_run import SPEED_TARGET, short
from benchmarks.harness import Figure
from ranker.config.forest import Forest as ForestConfig
from ranker.evaluation.metrics import normalized_entropy
from ranker.examples import example_files
from ranker.forest.model import Forest
from ranker.forest.rows import weighted_forest_rows
from ranker.forest.train import WeightedForestBatch, train_forest
from ranker.forest.traverse import Traversal

_PARTS = 5
_QUICK_BOOSTING_ROUNDS = 3


@dataclass(frozen=True)
class _Trained:
    forest: Forest
    rows: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds


@dataclass(frozen=True)
class ForestRows:
    """Transform's examples, and what the forest reads of them.

    Attributes:
        examples: the folder with the splits train and eval.
        feature_names, objective_names: of the examples.
    """

    examples: Path
    feature_names: Sequence[str]
    objective_names: Sequence[str]

    def batches(self, split: str, parts: int = 1) -> Iterator[WeightedForestBatch]:
        """A split's rows, or those of one file of so many."""
        files = example_files(str(self.examples / f"Split-{split}"))
        return weighted_forest_rows(files, len(self.feature_names), len(self.objective_names), shares=parts)


def forest_trainer(rows: ForestRows, config: ForestConfig, quick: bool) -> list[Figure]:
    """Compares complete trainings: with a fifth of the rows, and with trees that are grown on all rows.

    The fifth is trained on before and after, and the mean counts, as the machine's speed changes within minutes.

    Args:
        rows: of a feed.
        config: the forest's settings.
        quick: few boosting rounds, and no targets.
    """
    if quick:
        config = replace(config, trees=_QUICK_BOOSTING_ROUNDS * len(rows.objective_names), early_stopping_rounds=0)
    first = _trained(rows, config, _PARTS)
    everything = _trained(rows, config)
    grown_on_all = None
    if config.sample_rows is not None and config.sample_rows < everything.rows * (1 - config.validation_fraction):
        grown_on_all = _trained(rows, replace(config, sample_rows=None))
    last = _trained(rows, config, _PARTS)
    part = replace(last, seconds=fmean([first.seconds, last.seconds]))
    figures = [
        Figure(
            f"forest_rows_per_second_{short(everything.rows)}_over_{short(part.rows)}",
            everything.rows_per_second,
            part.rows_per_second,
            "rows/s",
            None if quick else SPEED_TARGET,
            note=f"train_forest from Transform's examples on {everything.rows:,} and {part.rows:,} rows: "
            f"{everything.seconds:.0f} s, and {first.seconds:.0f} and {last.seconds:.0f} s before and after",
        )
    ]
    if grown_on_all is not None:
        figures += _of_sample(rows, everything, grown_on_all)
    return figures


def _of_sample(rows: ForestRows, sampled: _Trained, grown_on_all: _Trained) -> list[Figure]:
    batches = list(rows.batches("eval"))
    features, labels = (np.concatenate([batch[part] for batch in batches]) for part in (0, 1))
    ours, theirs = (_entropies(trained.forest, features, labels) for trained in (sampled, grown_on_all))
    each = zip(rows.objective_names, ours, theirs, strict=True)
    return [
        Figure(
            "forest_rows_per_second_sampled_over_all",
            sampled.rows_per_second,
            grown_on_all.rows_per_second,
            "rows/s",
            note=f"trees grown on a sample of the {sampled.rows:,} rows, and on all of them: {sampled.seconds:.0f} and "
            f"{grown_on_all.seconds:.0f} s",
        ),
        Figure(
            "forest_normalized_entropy_sampled_over_all",
            float(np.nanmean(ours)),
            float(np.nanmean(theirs)),
            "normalized entropy",
            note=f"mean over the objectives, of {len(labels):,} rows of the held-out day; "
            + ", ".join(f"{name} {one:.5f} and {other:.5f}" for name, one, other in each),
        ),
    ]


def _trained(rows: ForestRows, config: ForestConfig, parts: int = 1) -> _Trained:
    read = 0

    def counted() -> Iterator[WeightedForestBatch]:
        nonlocal read
        for batch in rows.batches("train", parts):
            read += len(batch[1])
            yield batch

    start = time.perf_counter()
    forest, _ = train_forest(counted(), config, rows.feature_names, rows.objective_names)
    return _Trained(forest, read, time.perf_counter() - start)


def _entropies(forest: Forest, features: NDArray[np.float32], labels: NDArray[np.float32]) -> NDArray[np.float64]:
    """The normalized entropy of the forest's own predictions, [objectives]."""
    margins = forest.margins(Traversal(forest)(features)).astype(np.float64)
    losses = np.logaddexp(0.0, margins) - labels * margins
    return normalized_entropy(losses.sum(axis=0), labels.sum(axis=0), len(labels))
