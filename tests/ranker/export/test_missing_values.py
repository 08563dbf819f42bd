"""Empty strings, nulls, NaN, empty lists and padding mean the same in training and in every signature.

A row of a feed log is converted by FeedLogGen and transformed in Beam, as training reads it. The towers and the
forest's booster score it without the exported graph. The same row in every other spelling is then scored by every
signature.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import xgboost as xgb

from ranker import keys
from ranker.examples import example_files, parsed_batches
from ranker.export.raw_features import RawFeatures
from ranker.features.arrow import BadValueError
from ranker.features.registry import feature_kinds
from ranker.features.transform import SplitFiles, transform_by
from ranker.feed_log.conversion import to_lists
from ranker.feed_log.tf_example import encode_examples
from ranker.forest.traverse import Traversal
from ranker.in_process_runner import InProcessRunner
from tests.ranker.export.feed import FEATURES, OBJECTIVES, SCHEMA, TOWERS, Row, TinyFeed, dense_tensors, serialized

pytestmark = pytest.mark.slow

NAN, INF = float("nan"), float("inf")
BASE: Row = {"hours-old": [2.0], "votes": [9.0], "device": [b"ios"], "topics": [b"art"], "picture": [0.1, 0.2, 0.3]}
ABSENT = None  # an Example without the feature

Transform = Callable[[Mapping[str, Any]], Mapping[str, tf.Tensor]]
"""Parsed columns → all outputs of Transform's graph."""


@dataclass(frozen=True)
class Case:
    """One value of a column, and its equivalent spellings.

    Attributes:
        column: its name; every other column is that of BASE.
        logged: Parquet values, as Arrow values.
        examples: lists of values in a tf.Example.
        dense: values in a request's tensor.
    """

    column: str
    logged: list[Any]
    examples: list[list[Any] | None]
    dense: list[Any]


CASES = {
    "numeric, missing": Case("votes", [None, NAN], [ABSENT, [], [NAN]], [NAN]),
    "numeric, 0 is a value": Case("votes", [0, 0.0, False, Decimal(0)], [[0.0], [-0.0]], [0.0, -0.0]),
    "numeric, infinite": Case("votes", [INF], [[INF]], [INF]),
    "categorical, missing": Case("device", [None, "", NAN], [ABSENT, [], [b""]], [b""]),
    "categorical, a value": Case("device", ["web"], [[b"web"]], [b"web"]),
    "categorical, one never seen": Case("device", [7, 7.0, "7", Decimal(7)], [[b"7"]], [b"7"]),
    "multi-valued, none": Case(
        "topics",
        [None, [], [""], [None], ["", None], [NAN]],
        [ABSENT, [], [b""], [b"", b""]],
        [[], [b""], [b"", b"", b""]],
    ),
    "multi-valued, one": Case(
        "topics",
        [["law"], ["", "law"], ["law", None, ""]],
        [[b"law"], [b"", b"law"], [b"law", b"", b""]],
        [[b"law"], [b"", b"law", b""]],
    ),
    "multi-valued, two": Case(
        "topics",
        [["law", "dog"], ["law", None, "", "dog"]],
        [[b"law", b"dog"], [b"", b"law", b"", b"dog"]],
        [[b"law", b"dog"], [b"", b"law", b"", b"dog", b""]],
    ),
    "multi-valued, one twice": Case("topics", [["law", "law"]], [[b"law", b"", b"law"]], [[b"law", b"law", b""]]),
    "multi-valued, one never seen": Case(
        "topics", [["moon", ""], [7, None], [7.0, NAN]], [[b"moon"], [b"", b"moon"]], [[b"moon", b""], [b"", b"7"]]
    ),
    "dense": Case("picture", [[0.1, 0.2, 0.4]], [[0.1, 0.2, 0.4]], [[0.1, 0.2, 0.4]]),
}
DISTINCT = [("numeric", 3), ("categorical", 3), ("multi-valued", 5), ("dense", 1)]
TRADE_OFF = {"alpha": 0.4, "lambda_": 0.2}


def logged_example(column: str, value: Any, row: int | None = None) -> bytes:
    """The Example that FeedLogGen writes for BASE with another value of a column, with the row's number as labels."""
    values = {name: BASE[name][0] if name in ("hours-old", "votes", "device") else BASE[name] for name in BASE}
    values[column] = value
    columns = [kind.log_column for _, kind in feature_kinds(FEATURES)]
    lists = {column.name: to_lists(column, pa.array([values[column.name]])) for column in columns}
    if row is not None:
        lists |= {o.name: pa.array([[row]]) for o in OBJECTIVES} | {"viewer_id": pa.array([[b"v"]])}
    [example] = encode_examples(pa.RecordBatch.from_pydict(lists)).to_pylist()
    return example


def raw_example(column: str, values: list[Any] | None) -> bytes:
    """An Example of BASE with other values of a column, without conversion."""
    row = {name: value for name, value in BASE.items() if name != column}
    [example] = serialized([row if values is None else row | {column: values}])
    return example


def request(column: str, value: Any) -> dict[str, tf.Tensor]:
    """The tensors of BASE with another value of a column."""
    dtype = tf.float32 if column in ("votes", "picture") else tf.string
    return {**dense_tensors([BASE]), column: tf.constant([value], dtype)}


@pytest.fixture(scope="module")
def transform(feed: TinyFeed) -> Transform:
    """Transform's graph, loaded once: loading it takes longer than transforming a row."""
    layer = tft.TFTransformOutput(str(feed.graph)).transform_features_layer()
    return lambda parsed: layer(dict(parsed))


@pytest.fixture(scope="module")
def model(saved_model: Path) -> Any:
    """The loaded model."""
    return tf.saved_model.load(str(saved_model))


@pytest.fixture(scope="module")
def trained(feed: TinyFeed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Case → the probabilities [logged, objectives] that training computes for its rows."""
    folder = tmp_path_factory.mktemp("logged")
    rows = [(name, value) for name, case in CASES.items() for value in case.logged]
    with tf.io.TFRecordWriter(str(folder / "raw-00000")) as writer:
        for number, (name, value) in enumerate(rows):
            writer.write(logged_example(CASES[name].column, value, number))
    transform_by(
        str(feed.graph),
        [SplitFiles("train", str(folder / "raw-*"), str(folder / "rows" / "part"))],
        lambda: beam.Pipeline(runner=InProcessRunner()),
        str(folder / "tmp"),
    )
    spec = {
        **tft.TFTransformOutput(str(feed.graph)).transformed_feature_spec(),
        keys.LABELS: tf.io.FixedLenFeature([len(OBJECTIVES)], tf.float32),
    }
    [batch] = parsed_batches(example_files(str(folder / "rows")), spec, len(rows))
    order = np.argsort(batch[keys.LABELS][:, 0])
    assert len(order) == len(rows)
    probabilities = training_probabilities(feed, {name: values[order] for name, values in batch.items()})
    return {name: probabilities[[other == name for other, _ in rows]] for name in CASES}


def training_probabilities(feed: TinyFeed, transformed: Mapping[str, np.ndarray]) -> np.ndarray:
    """Transform's outputs → probabilities [rows, objectives], by the network and the booster."""
    features = transformed[keys.FOREST_FEATURES]
    leaves = Traversal(feed.forest)(features).astype(np.int32)
    batch = {name: {**transformed, keys.LEAVES: leaves}[name] for name in feed.inputs.tensor_specs()}
    margins = feed.forest.booster.predict(xgb.DMatrix(features), output_margin=True)
    share = TOWERS.forest_share
    return tf.sigmoid((1 - share) * feed.network(batch).numpy() + share * margins).numpy()


def scores_of(model: Any, signature: str, **tensors: tf.Tensor) -> np.ndarray:
    """The probabilities of one row, [objectives]."""
    outputs = model.signatures[signature](**tensors)
    return np.concatenate([outputs[o.name].numpy() for o in OBJECTIVES])


def tower_tensors(feed: TinyFeed, outputs: Mapping[str, tf.Tensor], local: bool) -> dict[str, tf.Tensor]:
    """The inputs of `score_leaves` or `score_local_leaves` for a row, as a stack that runs the forest makes them."""
    leaves = Traversal(feed.forest)(outputs[keys.FOREST_FEATURES].numpy()).astype(np.int32)
    own = (leaves - feed.forest.first_leaf[:-1]).astype(np.uint8) if local else leaves
    return {name: tf.constant({**outputs, keys.LEAVES: own}[name]) for name in feed.inputs.tensor_specs()}


def scored(feed: TinyFeed, transform: Transform, model: Any, case: Case) -> Iterator[tuple[str, np.ndarray]]:
    """The signature and the probabilities [objectives] of every spelling of a case in every signature that scores."""
    raw = RawFeatures(FEATURES, SCHEMA)
    logged = [logged_example(case.column, value) for value in case.logged]
    parsed = []
    for example in (*logged, *(raw_example(case.column, values) for values in case.examples)):
        serialised = tf.constant([example])
        yield "serving_default", scores_of(model, "serving_default", examples=serialised)
        parsed.append(raw.parse(serialised))
    for value in case.dense:
        tensors = request(case.column, value)
        for signature in ("score_features", "score_features_xla"):
            yield signature, scores_of(model, signature, **tensors)
        parsed.append(raw.from_dense(tensors))
    for row in parsed:
        outputs = transform(row)
        for signature in ("score_leaves", "score_local_leaves"):
            tensors = tower_tensors(feed, outputs, local=signature == "score_local_leaves")
            yield signature, scores_of(model, signature, **tensors)


@pytest.mark.parametrize("name", CASES)
def test_every_signature_that_scores_gives_the_scores_of_training(
    feed: TinyFeed, transform: Transform, model: Any, trained: dict[str, np.ndarray], name: str
) -> None:
    expected = trained[name]
    np.testing.assert_allclose(expected, expected[[0] * len(expected)], atol=1e-6)
    signatures = set()
    for signature, found in scored(feed, transform, model, CASES[name]):
        np.testing.assert_allclose(found, expected[0], atol=1e-6, err_msg=signature)
        signatures.add(signature)
    ranking = {"rank", "rank_weighted", "rank_xla"}
    assert signatures | ranking == set(model.signatures)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("signature", ["rank", "rank_weighted", "rank_xla"])
def test_every_signature_that_ranks_gives_the_utility_of_training(
    model: Any, trained: dict[str, np.ndarray], name: str, signature: str
) -> None:
    weights = {"like": 0.6 * 3.0, "click": 0.4, "answer": 0.2 * 2.0}
    expected = sum(weights[o.name] * trained[name][0, i] for i, o in enumerate(OBJECTIVES))
    own = {f"weight_{o.name}": o.utility_weight for o in OBJECTIVES} if signature == "rank_weighted" else {}
    scalars = {name: tf.constant(value) for name, value in {**TRADE_OFF, **own}.items()}
    for value in CASES[name].dense:
        ranked = model.signatures[signature](**request(CASES[name].column, value), **scalars)
        np.testing.assert_allclose(ranked["score"], [expected], atol=5e-6)


@pytest.mark.parametrize("values", [None, [], [None] * 3, [NAN] * 3, [0.1, 0.2], [0.1, 0.2, INF]])
def test_an_embedding_without_all_its_numbers_is_refused_by_log_and_signatures(
    feed: TinyFeed, transform: Transform, model: Any, values: list[Any] | None
) -> None:
    with pytest.raises(BadValueError):
        to_lists(feature_kinds(FEATURES)[-1][1].log_column, pa.array([values], pa.list_(pa.float32())))
    numbers = [NAN if value is None else value for value in values or []]
    examples = tf.constant([raw_example("picture", values and numbers)])
    scalars = {name: tf.constant(value) for name, value in TRADE_OFF.items()}
    own = {f"weight_{o.name}": tf.constant(1.0) for o in OBJECTIVES}
    tensors = request("picture", numbers)
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.signatures["serving_default"](examples=examples)
    outputs = transform(RawFeatures(FEATURES, SCHEMA).from_dense(dense_tensors([BASE])))
    calls: dict[str, dict[str, tf.Tensor]] = {
        "score_features": tensors,
        "rank": {**tensors, **scalars},
        "rank_weighted": {**tensors, **scalars, **own},
        **{
            signature: {
                **tower_tensors(feed, outputs, local=signature == "score_local_leaves"),
                "picture": tensors["picture"],
            }
            for signature in ("score_leaves", "score_local_leaves")
        },
    }
    for signature, inputs in calls.items():
        with pytest.raises((tf.errors.InvalidArgumentError, TypeError), match="picture"):
            model.signatures[signature](**inputs)


def as_bytes(outputs: Mapping[str, tf.Tensor]) -> bytes:
    """All of Transform's outputs for one row."""
    # Adding 0 turns -0 into 0, which is the same number.
    return b"".join((outputs[name].numpy() + 0).tobytes() for name in sorted(outputs))


@pytest.mark.parametrize(("kind", "distinct"), DISTINCT)
def test_forest_and_towers_read_the_same_for_one_value_and_another_for_another(
    transform: Transform, kind: str, distinct: int
) -> None:
    raw = RawFeatures(FEATURES, SCHEMA)
    found: list[bytes] = []
    for case in (case for name, case in CASES.items() if name.startswith(kind)):
        examples = [logged_example(case.column, value) for value in case.logged]
        examples += [raw_example(case.column, values) for values in case.examples]
        read = {as_bytes(transform(raw.parse(tf.constant([example])))) for example in examples}
        read |= {as_bytes(transform(raw.from_dense(request(case.column, value)))) for value in case.dense}
        assert len(read) == 1, case
        found += read
    assert len(set(found)) == distinct


def test_a_batch_of_all_spellings_is_read_as_each_of_them_alone(model: Any, trained: dict[str, np.ndarray]) -> None:
    topics = {name: case for name, case in CASES.items() if case.column == "topics"}
    examples = [(name, raw_example("topics", values)) for name, case in topics.items() for values in case.examples]
    together = model.signatures["serving_default"](examples=tf.constant([example for _, example in examples]))
    expected = np.stack([trained[name][0] for name, _ in examples])
    np.testing.assert_allclose(np.stack([together[o.name] for o in OBJECTIVES], axis=1), expected, atol=1e-6)

    dense = [(name, value) for name, case in topics.items() for value in case.dense]
    width = max(len(value) for _, value in dense) + 1
    tensors = {name: tf.repeat(tensor, len(dense), axis=0) for name, tensor in dense_tensors([BASE]).items()}
    for before in (0, 1):  # padding before and after the values
        padded = [[b""] * before + value + [b""] * (width - before - len(value)) for _, value in dense]
        scores = model.signatures["score_features"](**{**tensors, "topics": tf.constant(padded)})
        expected = np.stack([trained[name][0] for name, _ in dense])
        np.testing.assert_allclose(np.stack([scores[o.name] for o in OBJECTIVES], axis=1), expected, atol=1e-6)
