"""Training and serving agree on a real run's rows: whatever way a row takes, it ends in the same probabilities."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import ranker
from pipeline_config import FEED
from ranker import keys
from ranker.examples import example_files, parsed_batches, records
from ranker.export.raw_features import RawFeatures
from ranker.forest.model import Forest
from ranker.registry.layout import FOREST, STATE, TOWER_STATE, TRANSFORM_GRAPH
from ranker.towers.inputs import tower_inputs
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.state import TowerState, restore
from serving.client import FeedRankerClient
from serving.server import PortError, serve
from tests.end_to_end.conftest import ROOT, FinishedRun
from tests.end_to_end.tutorial import blocks

pytestmark = pytest.mark.slow

ROWS = 500
EMBEDDING = FEED.features.dense[0].name


@dataclass(frozen=True, eq=False)
class Impressions:
    """The same impressions of the held-out day, as each side has them.

    Attributes:
        examples: serialised tf.Examples, as FeedLogGen wrote them.
        batch: what the towers read, as LeafEncoder wrote it in Beam; `leaves` int32 [rows, trees].
        expected: [rows, objectives], by the trainer's network and the forest's own margins from that batch.
        forest: of the run.
    """

    examples: list[bytes]
    batch: dict[str, np.ndarray]
    expected: np.ndarray
    forest: Forest


@pytest.fixture(scope="module")
def impressions(first_run: FinishedRun, workdir: Path) -> Impressions:
    state = Path(first_run.summary["pushed_model"]) / STATE
    forest = Forest.load(str(state / FOREST))
    spec = tft.TFTransformOutput(str(state / TRANSFORM_GRAPH)).transformed_feature_spec()
    inputs = tower_inputs(spec, FEED.features, FEED.towers, forest.trees, forest.leaves)
    read = {name: spec[name] for name in (keys.NUMERIC, keys.CATEGORICAL, EMBEDDING, keys.VIEWER_BUCKET)}
    read[keys.LEAVES] = tf.io.FixedLenFeature([], tf.string)
    batch = next(parsed_batches(_eval_files(workdir, "LeafEncoder/leaf_examples"), read, 2 * ROWS))
    examples, kept = _same_impressions(_eval_files(workdir, "FeedLogGen/examples"), batch)
    batch = {name: values[kept][:ROWS] for name, values in batch.items() if name != keys.VIEWER_BUCKET}
    width = np.dtype(forest.leaf_dtype).newbyteorder("<")
    batch[keys.LEAVES] = np.stack([np.frombuffer(row, width) for row in batch[keys.LEAVES]]).astype(np.int32)

    network = TwoTowerNetwork(inputs, FEED.towers, FEED.objectives, np.full(len(FEED.objectives), 0.5), seed=1)
    restore(network, TowerState.load(str(state / TOWER_STATE)).latest)
    share = FEED.towers.forest_share
    logits = (1 - share) * network(batch).numpy() + share * forest.margins(batch[keys.LEAVES])
    return Impressions(examples[:ROWS], batch, tf.sigmoid(logits).numpy(), forest)


def _eval_files(workdir: Path, output: str) -> list[str]:
    (split,) = (workdir / "artifacts" / output).glob("*/Split-eval")
    return example_files(str(split))


def _same_impressions(files: list[str], batch: Mapping[str, np.ndarray]) -> tuple[list[bytes], np.ndarray]:
    """The raw examples of a batch's rows, and which of the rows these are.

    An impression is known by its item's embedding and its viewer's bucket, which Transform leaves as they are; those
    that share both are left out.
    """
    serialized = [row for file in files for part in records(file, 4096).as_numpy_iterator() for row in part]
    spec = {
        EMBEDDING: tf.io.FixedLenFeature([FEED.features.dense[0].size], tf.float32),
        FEED.keys.viewer: tf.io.FixedLenFeature([], tf.string),
    }
    raw = tf.io.parse_example(serialized, spec)
    buckets = tf.strings.to_hash_bucket_fast(raw[FEED.keys.viewer], keys.VIEWER_BUCKETS).numpy()
    known = [(row.tobytes(), int(bucket)) for row, bucket in zip(raw[EMBEDDING].numpy(), buckets, strict=True)]
    times = Counter(known)
    at = {key: i for i, key in enumerate(known) if times[key] == 1}
    pairs = zip(batch[EMBEDDING], batch[keys.VIEWER_BUCKET][:, 0], strict=True)
    found = [at.get((row.tobytes(), int(bucket)), -1) for row, bucket in pairs]
    kept = np.flatnonzero(np.array(found) >= 0)
    assert len(kept) >= ROWS
    return [serialized[found[row]] for row in kept], kept


def _tensors(examples: list[bytes]) -> dict[str, Any]:
    """The inputs of `score_features` for serialised examples."""
    schema = text_format.Parse((ROOT / FEED.schema).read_text(), schema_pb2.Schema())
    raw = RawFeatures(FEED.features, schema)
    parsed, tensors = raw.parse(tf.constant(examples)), {}
    for column, name in raw.input_names.items():
        spec, tensor = raw.tensor_specs()[name], parsed[column]
        if isinstance(tensor, tf.SparseTensor):
            tensor = tf.sparse.to_dense(tensor, default_value="" if spec.dtype == tf.string else np.nan)
        tensors[name] = tf.reshape(tensor, [len(examples), *([-1] if spec.shape.rank == 2 else [])]).numpy()
    return tensors


def _assert_scores(scores: Mapping[str, np.ndarray], expected: np.ndarray) -> None:
    for i, objective in enumerate(FEED.objectives):
        np.testing.assert_allclose(scores[objective.name], expected[:, i], atol=1e-6, err_msg=objective.name)


def test_the_readmes_client_runs_as_printed(
    first_run: FinishedRun, small_feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = [block.text for block in blocks(ROOT / "README.md") if "FeedRankerClient(" in block.text]
    # The example's folders, with the small feed's newest day under the day that the page names.
    [day] = re.findall(r"day-\d{4}-\d\d-\d\d", code)
    log = tmp_path / "workdir" / "feed" / "feed_log"
    log.mkdir(parents=True)
    (log / day).symlink_to(small_feed / f"day-{first_run.summary['day']}")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    try:
        with serve(Path(first_run.summary["pushed_model"]), "feed", 8500) as address:
            with FeedRankerClient(address, "feed", timeout_s=120.0) as client:  # a fresh model's first request is slow
                columns = pq.read_table(log / day).slice(0, 25).to_pydict()
                expected = client.rank(client.features(columns), alpha=0.4, lambda_=0.1, weights={"comment": 8.0}).order
            exec(code, names)
    except PortError as error:
        pytest.skip(str(error))
    np.testing.assert_array_equal(names["ranking"].order, expected)
    assert sorted(names["ranking"].order) == list(range(25))


def test_every_way_of_a_row_ends_alike(first_run: FinishedRun, impressions: Impressions) -> None:
    pushed, expected = Path(first_run.summary["pushed_model"]), impressions.expected
    assert json.loads((pushed / "assets.extra/feed_ranker.json").read_text())["trees"] == impressions.forest.trees
    assert np.all(expected.std(axis=0) > 1e-4)
    features = _tensors(impressions.examples)
    local = (impressions.batch[keys.LEAVES] - impressions.forest.first_leaf[:-1]).astype(np.uint8)

    with serve(pushed, "feed") as address, FeedRankerClient(address, "feed", timeout_s=120.0) as client:
        _assert_scores(client.score_examples(impressions.examples), expected)
        _assert_scores(client.score_features(features), expected)
        _assert_scores(client.score_leaves(impressions.batch), expected)
        _assert_scores(client.predict("score_local_leaves", {**impressions.batch, keys.LEAVES: local}), expected)
        ranking = client.rank(features, alpha=0.4, lambda_=0.3)

    weights = np.array([o.utility_weight for o in FEED.objectives])
    factor = {"passive": 0.4, "active": 0.6, "other": 0.3}
    score = expected @ (weights * [factor[o.group] for o in FEED.objectives])
    np.testing.assert_allclose(ranking.score, score, atol=1e-6 * weights.sum())
    np.testing.assert_array_equal(np.sort(ranking.order), np.arange(len(expected)))
    assert np.all(np.diff(ranking.score[ranking.order]) <= 0)


def test_the_python_api_trains_the_model_that_the_run_pushed(small_feed: Path, first_run: FinishedRun) -> None:
    day = first_run.summary["day"]
    pushed = ranker.load(first_run.summary["pushed_model"])

    trained = ranker.train(FEED, small_feed, day)

    rows = pq.read_table(small_feed / f"day-{day}")
    scores, expected = trained.score(rows), pushed.score(rows)
    for objective in FEED.objective_names:
        np.testing.assert_allclose(scores[objective].to_numpy(), expected[objective].to_numpy(), atol=1e-6)
    assert trained.manifest.config == pushed.manifest.config
    assert trained.manifest.forest_fingerprint == pushed.manifest.forest_fingerprint
    assert trained.manifest.trained_days == pushed.manifest.trained_days
