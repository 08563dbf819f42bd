"""Adds trees to the forest of an earlier training: what its splits miss on the days since.

New leaf values (`refresh`) follow what changes between two cold starts, but cannot replace splits that are not there.
An objective that was rare in the first window may have hardly any. So boosting continues on the newest days, from the
log-odds of the refreshed forest. The new trees and leaves stand at the end. Every earlier leaf keeps its number, and so
its embedding.
"""

import contextlib
import itertools
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.boosting import BATCH_ROWS, boost
from ranker.forest.holdout import held_out_buckets
from ranker.forest.model import Forest
from ranker.forest.refit import refitted
from ranker.forest.sample import sampled
from ranker.forest.spool import Spool, SpooledRows
from ranker.forest.train import (
    ForestBatch,
    WeightedForestBatch,
    check_device,
    checked,
    output_names,
    targets_of,
    weight_scale,
)
from ranker.forest.traverse import Traversal


def with_added_trees(
    forest: Forest,
    batches: Iterable[ForestBatch | WeightedForestBatch],
    config: ForestConfig,
    objective_names: Sequence[str],
    rounds: int,
    learning_rate_fraction: float,
    scratch: str | Path | None = None,
) -> Forest:
    """The forest with up to `rounds` trees per output at the end, and no more than `config.trees` in all.

    As in a new forest (`train_forest`), trees are grown on all but the rows of some held-out viewers. Those decide per
    output how many of the trees to keep, which may be none. The values of the new leaves are then fitted on all rows.
    The earlier trees and their values stay as they are.

    Args:
        forest: the forest of the earlier training, refreshed with the new rows.
        batches: as in `train_forest`; read once. An objective may lack positives, negatives, or labels, in a few days;
            then it gets no trees.
        config: the settings that the forest was grown with.
        objective_names: one per column of the labels.
        rounds: the largest number of new trees per output.
        learning_rate_fraction: share of the forest's learning rate that new trees are grown with.
        scratch: as in `train_forest`.

    Returns:
        The forest itself if no new tree lowers the loss of the held-out viewers.

    Raises:
        ValueError: a batch of another shape, an infinite feature, or weights of 0 everywhere; a GPU is configured that
            XGBoost does not find.
    """
    outputs = len(forest.base_margin)
    room = config.trees - forest.trees
    rounds = min(rounds, room)
    if rounds <= 0 or not forest.trees:
        return forest
    check_device(config.device)
    # Another seed than that of the trees before, or each day would draw the same columns.
    seed = (config.seed + forest.trees) % 2**31
    slower = replace(config, learning_rate=config.learning_rate * learning_rate_fraction, seed=seed)
    traversal = Traversal(forest)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch)))
        spool = stack.enter_context(Spool(folder / "rows", len(forest.feature_names), outputs, with_margins=True))
        for features, labels, buckets, weights in checked(batches, forest.feature_names, objective_names):
            spool.append(features, targets_of(labels, config), buckets, weights, forest.margins(traversal(features)))
        spool.scale = weight_scale(spool)
        held_out = held_out_buckets(spool.counts, config.validation_fraction, spool.observed)
        train, validation = SpooledRows(spool, ~held_out), SpooledRows(spool, held_out)
        untested = config.early_stopping_rounds and config.validation_fraction and not validation.rows
        if not train.rows or untested:
            return forest
        names = output_names(config, objective_names)
        growing = sampled(train, config.sample_rows, seed)
        booster, _ = boost(growing, validation, slower, names, rounds, folder, room)
        if booster is None:
            return forest
        everything = itertools.chain(train.batches(BATCH_ROWS), validation.batches(BATCH_ROWS))
        grown = Forest.from_booster(booster, forest.feature_names)
        return forest.followed_by(refitted(grown, everything, slower.learning_rate, folder))
