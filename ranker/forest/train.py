"""Trains the forest on batches that are read once; only the quantised matrix is held in memory."""

import contextlib
import itertools
import json
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.boosting import BATCH_ROWS, boost
from ranker.forest.curve import TrainingCurve
from ranker.forest.holdout import bucket_counts, held_out_buckets, observed_counts
from ranker.forest.model import Forest
from ranker.forest.refit import any_engagement, refitted
from ranker.forest.sample import sampled
from ranker.forest.spool import Spool, SpooledRows
from ranker.forest.together import all_or_none, least, total

ForestBatch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]
WeightedForestBatch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]


def train_forest(
    batches: Iterable[ForestBatch | WeightedForestBatch],
    config: ForestConfig,
    feature_names: Sequence[str],
    objective_names: Sequence[str],
    scratch: str | Path | None = None,
) -> tuple[Forest, TrainingCurve]:
    """Fits the forest.

    Without trees in the config, nothing is read and nothing grows.

    With the target `each`, every round grows one tree per objective; with `any`, one tree for the union of all.
    Several processes can grow one forest together, each with its share of the batches, if XGBoost's communicator
    connects them (see `distribute`). Each gets the same forest.

    Trees are not grown on rows of held-out viewers (`holdout`). These rows decide, per objective, when to stop early;
    with too few positives among them, the rounds are limited (`stopping.most_rounds`). If there are more than
    `config.sample_rows` other rows, trees are grown on a sample of them (`sample`). Then the leaf values are refitted
    on all rows (`refitted`).

    Args:
        batches: (features float32 [rows, features] with NaN where missing, labels float32 [rows, objectives] of 0 and
            1 with NaN where not observed, viewer buckets int64 [rows] in [0, VIEWER_BUCKETS), and optionally weights
            float32 [rows]); read once, and not kept in memory. An objective learns from the rows of which its label is
            observed. A row of weight 0 is no row to learn from.
        config: the forest's settings.
        feature_names: one per column of the features.
        objective_names: one per column of the labels.
        scratch: folder for temporary files of about 4 bytes per row and feature and 1 per row and tree, removed at the
            end; the system's temporary folder by default.

    Raises:
        ValueError: no rows for training or validation; a batch of another shape; an infinite feature; an objective
            without positives or without negatives; fewer trees than objectives; a GPU is configured that XGBoost does
            not find.
    """
    if not config.trees:
        return Forest.without_trees(feature_names), TrainingCurve((), (), 0, {})
    outputs = output_names(config, objective_names)
    rounds = config.trees // len(outputs)
    if rounds == 0:
        raise ValueError(f"forest.trees: {config.trees} trees are too few for {len(outputs)} objectives")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch)))
        spool = stack.enter_context(Spool(folder / "rows", len(feature_names), len(outputs)))
        with all_or_none():
            check_device(config.device)
            for features, labels, buckets, weights in checked(batches, feature_names, objective_names):
                spool.append(features, targets_of(labels, config), buckets, weights)
        spool.scale = weight_scale(spool)
        held_out = held_out_buckets(
            _of_all_workers(spool.counts), config.validation_fraction, _of_all_workers(spool.observed)
        )
        train, validation = SpooledRows(spool, ~held_out), SpooledRows(spool, held_out)
        _check_learnable(train, validation, config, outputs)
        growing = sampled(train, config.sample_rows, config.seed)
        booster, curve = boost(growing, validation, config, outputs, rounds, folder)
        assert booster is not None, "a new forest keeps at least one round per output"
        everything = itertools.chain(train.batches(BATCH_ROWS), validation.batches(BATCH_ROWS))
        grown = Forest.from_booster(booster, feature_names)
        return refitted(grown, everything, config.learning_rate, folder), curve


def output_names(config: ForestConfig, objective_names: Sequence[str]) -> tuple[str, ...]:
    """What the forest predicts: every objective, or the superset objective."""
    return ("any engagement",) if config.target == "any" else tuple(objective_names)


def are_held_out(buckets: NDArray[np.int64], labels: NDArray[np.float32], config: ForestConfig) -> NDArray[np.bool_]:
    """Which of all training rows belong to viewers that are held out from growing trees, [rows].

    Args:
        buckets: viewer bucket of each row, [rows].
        labels: 0 or 1, NaN where not observed, [rows, objectives].
        config: the forest's settings.
    """
    targets = targets_of(labels, config)
    held_out: NDArray[np.bool_] = held_out_buckets(
        bucket_counts(buckets, targets), config.validation_fraction, observed_counts(buckets, targets)
    )[buckets]
    return held_out


def targets_of(labels: NDArray[np.float32], config: ForestConfig) -> NDArray[np.float32]:
    """What the outputs learn, [rows, outputs], of labels [rows, objectives]."""
    return any_engagement(labels) if config.target == "any" else labels


def _of_all_workers(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return total(counts.reshape(-1).astype(np.float64)).reshape(counts.shape).astype(np.int64)


def weight_scale(spool: Spool) -> float:
    """What makes the mean weight over the rows of all workers 1, as the penalties of trees are meant for such rows.

    Rows of weight 0 count in the mean, as in a refresh and in the loss of the towers.

    Raises:
        ValueError: every row weighs 0.
    """
    rows, weight = total(np.array([spool.counts[0].sum() + spool.weightless, spool.weight], np.float64))
    if rows and not weight:
        raise ValueError(f"forest: each of the {int(rows)} training rows has the weight 0")
    return float(rows / weight) if rows else 1.0


def checked(
    batches: Iterable[ForestBatch | WeightedForestBatch], feature_names: Sequence[str], objective_names: Sequence[str]
) -> Iterator[WeightedForestBatch]:
    """The batches with weights, each checked as `train_forest` says."""
    for batch in batches:
        features, labels, buckets = batch[:3]
        rows = len(buckets)
        weights = batch[3] if len(batch) == 4 else np.ones(rows, np.float32)
        for what, found, expected in (
            ("features", features.shape, (rows, len(feature_names))),
            ("labels", labels.shape, (rows, len(objective_names))),
        ):
            if found != expected:
                raise ValueError(f"forest: expected {what} of shape {list(expected)}, got {list(found)}")
        infinite = np.isinf(features).any(axis=0)
        if infinite.any():
            names = [feature_names[int(i)] for i in np.flatnonzero(infinite)]
            raise ValueError(f"forest: features must be finite or NaN, but {names} hold infinite values")
        yield features, labels, buckets, weights


def _check_learnable(train: SpooledRows, validation: SpooledRows, config: ForestConfig, outputs: Sequence[str]) -> None:
    """Checks the rows of all workers together, so that each worker raises the same error."""
    of_rows = [train.rows, validation.rows, train.spool.weightless]
    rows, held_out, weightless, *found = (
        int(value) for value in total(np.concatenate([of_rows, train.observed, train.positives]))
    )
    observed, positives = found[: len(outputs)], found[len(outputs) :]
    besides = f" besides {weightless} of weight 0" if weightless else ""
    if not rows:
        remedy = (
            f": all {held_out} are of viewers that forest.validation_fraction={config.validation_fraction} holds out; "
            "a log of a single viewer needs 0 for it and for forest.early_stopping_rounds"
        )
        raise ValueError(f"forest: no rows to train on{besides}{remedy if held_out else ''}")
    if config.validation_fraction and config.early_stopping_rounds and not held_out:
        raise ValueError(
            f"forest: forest.validation_fraction={config.validation_fraction} holds out no viewer of the "
            f"{rows} training rows{besides}, so there is nothing to stop early on; raise it, or set "
            "forest.early_stopping_rounds to 0"
        )
    for name, seen, count in zip(outputs, observed, positives, strict=True):
        if count in (0, seen):
            lacks = "no observed label" if seen == 0 else "no positives" if count == 0 else "no negatives"
            among = rows if seen in (0, rows) else f"{seen} observed of {rows}"
            raise ValueError(f"forest: {name} has {lacks} in the {among} training rows{besides}; it cannot be learnt")
    if least(train.rows) == 0 or (held_out and least(validation.rows) == 0):
        raise ValueError(
            f"forest: {rows + held_out} rows are too few for each worker to get a share; use fewer workers"
        )


def check_device(device: str) -> None:
    """Refuses a missing GPU: XGBoost itself only warns and trains on the CPU.

    Raises:
        ValueError: XGBoost finds no such device.
    """
    if device == "cpu":
        return
    with xgb.config_context(verbosity=0):
        probe = xgb.Booster({"device": device, "num_feature": 1})
        found = json.loads(probe.save_config())["learner"]["generic_param"]["device"]
    if not found.startswith(device):
        raise ValueError(f"forest.device: {device} is configured, but XGBoost finds no such device here")
    logging.getLogger(__name__).info("growing the forest on %s", found)
