"""One forest from two processes, each with half of the rows."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import distributed
import numpy as np
import pytest
import xgboost as xgb

from ranker.config.forest import Dask
from ranker.config.forest import Forest as ForestConfig
from ranker.forest import boosting
from ranker.forest.distribute import train_forest_on_dask
from ranker.forest.model import Forest
from ranker.forest.refit import refitted
from ranker.forest.train import ForestBatch, train_forest
from tests.components.forest_trainer import test_executor as forest_trainer
from tests.components.transformed import FEATURES as TRANSFORMED
from tests.components.transformed import examples_artifact, tensors_of
from tests.ranker.forest.test_train import FEATURES, OBJECTIVES, feed, joined

pytestmark = pytest.mark.slow

CONFIG = ForestConfig(trees=120, depth=4, learning_rate=0.2, min_child_weight=1.0, early_stopping_rounds=10)
ROWS = 12_000


def share_of_feed(share: int, shares: int, rows: int = ROWS) -> Iterator[ForestBatch]:
    """Every `shares`-th batch."""
    return islice(feed(rows, batch_rows=500), share, None, shares)


def broken_share(share: int, shares: int) -> Iterator[ForestBatch]:
    """The second worker's rows have an infinite feature."""
    for features, labels, buckets in share_of_feed(share, shares):
        if share == 1:
            features[3, 2] = np.inf
        yield features, labels, buckets


@pytest.fixture(scope="module")
def cluster() -> Iterator[Dask]:
    """A running Dask cluster."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as started:
        yield Dask(workers=2, scheduler=started.scheduler_address)


def losses(forest: Forest) -> np.ndarray:
    """The log loss per objective on held-out rows."""
    features, labels, _ = joined(feed(20_000, seed=99))
    p = np.clip(forest.booster.predict(xgb.DMatrix(features)).reshape(labels.shape), 1e-7, 1 - 1e-7)
    return -np.where(labels > 0, np.log(p), np.log1p(-p)).mean(axis=0)


def test_two_workers_grow_as_good_a_forest_as_one_process(tmp_path: Path) -> None:
    alone, curve_alone = train_forest(feed(ROWS, batch_rows=500), CONFIG, FEATURES, OBJECTIVES)
    together, curve = train_forest_on_dask(share_of_feed, CONFIG, Dask(workers=2), FEATURES, OBJECTIVES)
    _, labels, _ = joined(feed(20_000, seed=99))
    base = labels.mean(axis=0)
    base_losses = -(base * np.log(base) + (1 - base) * np.log1p(-base))
    assert (losses(alone) < 0.9 * base_losses).all()
    # The gain over the base rates differs from that of one process by at most a twentieth.
    np.testing.assert_allclose(losses(together), losses(alone), atol=0.05 * (base_losses - losses(alone)).min())
    # Early stopping uses the losses of all rows, which differ from those of one half.
    assert curve.train[0] == pytest.approx(curve_alone.train[0], rel=2e-3)
    assert curve.validation[0] == pytest.approx(curve_alone.validation[0], rel=2e-3)
    assert set(curve.output_rounds) == set(OBJECTIVES)
    assert together.trees == sum(curve.output_rounds.values())
    # The leaf values are fitted on both workers' rows.
    features, labels, _ = joined(feed(ROWS, batch_rows=500))
    of_all = refitted(together, [(features, labels)], CONFIG.learning_rate, tmp_path)
    np.testing.assert_allclose(together.leaf_value, of_all.leaf_value, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(together.leaf_cover, of_all.leaf_cover, rtol=1e-4)


def test_workers_grow_trees_on_a_sample_of_the_rows_of_all(cluster: Dask) -> None:
    config = replace(CONFIG, sample_rows=ROWS // 2)
    alone, _ = train_forest(feed(ROWS, batch_rows=500), config, FEATURES, OBJECTIVES)
    together, _ = train_forest_on_dask(share_of_feed, config, cluster, FEATURES, OBJECTIVES)
    everything, _ = train_forest_on_dask(share_of_feed, CONFIG, cluster, FEATURES, OBJECTIVES)
    # On a sample of 6,000, seeds differ by up to 0.04 of the loss.
    np.testing.assert_allclose(losses(together), losses(alone), rtol=0.05)
    assert together.fingerprint != everything.fingerprint
    # All rows are in the leaf values.
    assert together.leaf_cover[: together.first_leaf[1]].sum() == pytest.approx(
        everything.leaf_cover[: everything.first_leaf[1]].sum(), rel=1e-3
    )


def lower_the_limit() -> None:
    boosting._COMPLETE_FROM_ROWS = 100


def half_missing(share: int, shares: int) -> Iterator[ForestBatch]:
    """Features with missing values in the second worker's rows alone."""
    for features, labels, buckets in share_of_feed(share, shares):
        features[:, 1:] = np.nan_to_num(features[:, 1:])
        features[:, 0] = features[:, 0] if share == 1 else np.nan_to_num(features[:, 0])
        yield features, labels, buckets


def test_workers_complete_the_same_columns(cluster: Dask) -> None:
    as_they_are, curve = train_forest_on_dask(half_missing, CONFIG, cluster, FEATURES, OBJECTIVES)
    with distributed.Client(cluster.scheduler) as client:
        client.run(lower_the_limit)
        complete, curve_of_complete = train_forest_on_dask(half_missing, CONFIG, cluster, FEATURES, OBJECTIVES)
        client.restart()
    assert complete.fingerprint != as_they_are.fingerprint
    assert set(complete.split_feature[np.isinf(complete.split_threshold)]) <= {0}
    assert min(curve_of_complete.validation) == pytest.approx(min(curve.validation), rel=0.01)


def test_invalid_rows_on_one_worker_fail_the_training(cluster: Dask) -> None:
    with pytest.raises(ValueError, match=r"features must be finite or NaN, but \['f2'\] hold infinite values"):
        train_forest_on_dask(broken_share, replace(CONFIG, trees=4), cluster, FEATURES, OBJECTIVES)


def test_too_few_rows_for_all_workers_are_refused(cluster: Dask) -> None:
    with pytest.raises(ValueError, match="500 rows are too few for each worker to get a share; use fewer workers"):
        train_forest_on_dask(partial(share_of_feed, rows=500), CONFIG, cluster, FEATURES, OBJECTIVES)


def test_forest_trainer_uses_the_dask_cluster_of_its_config(cluster: Dask, tmp_path: Path) -> None:
    shards = {"a.gz": tensors_of(2_000, seed=1), "b.gz": tensors_of(2_000, seed=2)}
    examples = examples_artifact(tmp_path / "examples", {"train": shards})
    config = replace(forest_trainer.CONFIG, dask=cluster)
    artifact = forest_trainer.run(forest_trainer.component(examples, config=config), examples, tmp_path / "forest")
    forest = Forest.load(artifact.uri)
    assert forest.trees == artifact.get_int_custom_property("trees") > 0
    assert len(forest.feature_names) == len(TRANSFORMED)


def test_more_workers_than_the_cluster_has_are_refused(cluster: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ranker.forest.distribute._START_TIMEOUT_S", 1)
    with pytest.raises(ValueError, match=f"forest.dask.workers: 3 are needed, {cluster.scheduler} has 2"):
        train_forest_on_dask(share_of_feed, CONFIG, replace(cluster, workers=3), FEATURES, OBJECTIVES)


def test_the_error_names_an_unreachable_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ranker.forest.distribute._START_TIMEOUT_S", 1)
    dask = Dask(scheduler="tcp://127.0.0.1:1")
    with pytest.raises(ValueError, match=r"forest.dask.scheduler: tcp://127.0.0.1:1 does not answer"):
        train_forest_on_dask(share_of_feed, CONFIG, dask, FEATURES, OBJECTIVES)
