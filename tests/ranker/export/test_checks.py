"""Requests that a signature refuses on any server, and its messages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.export.checks import check_scores
from tests.ranker.export.feed import MAX_ROWS, TinyFeed, dense_tensors, serialized

pytestmark = pytest.mark.slow

SCALARS = {"alpha": tf.constant(0.5), "lambda_": tf.constant(0.1)}


@pytest.fixture(scope="module")
def model(saved_model: Path) -> Any:
    """The loaded model, which must be referenced as long as its signatures are called."""
    return tf.saved_model.load(str(saved_model))


def _refused(model: Any, signature: str, tensors: Mapping[str, Any], message: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        model.signatures[signature](**{name: tf.constant(tensor) for name, tensor in tensors.items()})


@pytest.mark.parametrize("signature", ["score_features", "score_features_xla", "rank"])
@pytest.mark.parametrize("column", ["votes", "device", "topics", "picture"])
def test_a_column_with_fewer_rows_is_named(feed: TinyFeed, model: Any, signature: str, column: str) -> None:
    tensors = dense_tensors(feed.rows[:5])
    tensors[column] = tensors[column][:4]
    scalars = SCALARS if signature == "rank" else {}

    _refused(model, signature, {**tensors, **scalars}, f"fewer rows than the others.*{column}")


def test_a_single_row_is_not_broadcast_to_the_others(feed: TinyFeed, model: Any) -> None:
    tensors = dense_tensors(feed.rows[:5])
    tensors["votes"] = tensors["votes"][:1]

    _refused(model, "score_features", tensors, "fewer rows than the others.*votes")


@pytest.mark.parametrize(
    ("column", "shape"), [("votes", (5, 1)), ("device", (5, 1)), ("topics", (5,)), ("picture", (5, 4)), ("votes", ())]
)
def test_another_shape_is_named(feed: TinyFeed, model: Any, column: str, shape: tuple[int, ...]) -> None:
    tensors = dense_tensors(feed.rows[:5])
    tensors[column] = tf.zeros(shape, tf.float32) if tensors[column].dtype == tf.float32 else tf.fill(shape, "a")

    _refused(model, "score_features", tensors, f"(?s){column}.*not compatible with expected shape")


@pytest.mark.parametrize(
    ("signature", "name"), [("serving_default", "examples"), ("score_features", "votes"), ("score_leaves", "leaves")]
)
def test_no_candidates_are_refused(feed: TinyFeed, model: Any, signature: str, name: str) -> None:
    none = {
        "serving_default": {"examples": np.array([], object)},
        "score_features": {name: tensor[:0] for name, tensor in dense_tensors(feed.rows).items()},
        "score_leaves": {name: values[:0] for name, values in feed.batch().items()},
    }[signature]

    _refused(model, signature, none, f"{name}.*the request holds no candidates")


def test_more_candidates_than_the_limit_are_refused(feed: TinyFeed, model: Any) -> None:
    many = serialized(feed.rows[:1]) * (MAX_ROWS + 1)

    _refused(model, "serving_default", {"examples": many}, f"examples: a request holds at most {MAX_ROWS} candidates")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_dense_embedding_that_is_not_finite_is_refused(feed: TinyFeed, model: Any, value: float) -> None:
    rows = [dict(row) for row in feed.rows[:5]]
    rows[3]["picture"] = [0.1, value, 0.2]

    for signature in ("score_features", "score_features_xla"):
        _refused(model, signature, dense_tensors(rows), "picture: holds NaN or infinity")
    _refused(model, "serving_default", {"examples": serialized(rows)}, "picture: holds NaN or infinity")


def test_a_score_that_became_nan_is_refused() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="picture, sound: numbers too large to be scored"):
        check_scores(tf.constant([[0.5, np.nan]]), ["picture", "sound"])


@pytest.mark.parametrize("name", ["numeric", "picture"])
def test_towers_inputs_that_are_not_finite_are_refused(feed: TinyFeed, model: Any, name: str) -> None:
    batch = {key: values.copy() for key, values in feed.batch().items()}
    batch[name][2, 1] = np.nan

    _refused(model, "score_leaves", batch, f"{name}: holds NaN or infinity")


@pytest.mark.parametrize("leaf", [-1, 10_000])
def test_a_leaf_the_forest_does_not_have_is_refused(feed: TinyFeed, model: Any, leaf: int) -> None:
    leaves = feed.leaves.copy()
    leaves[3, 2] = leaf

    _refused(model, "score_leaves", {**feed.batch(), keys.LEAVES: leaves}, r"leaves: every leaf id must lie in \[0, ")


def test_a_leaf_its_tree_does_not_have_is_refused(feed: TinyFeed, model: Any) -> None:
    local = (feed.leaves - feed.forest.first_leaf[:-1]).astype(np.uint8)
    local[3, 2] = np.diff(feed.forest.first_leaf)[2]

    _refused(model, "score_local_leaves", {**feed.batch(), keys.LEAVES: local}, "leaves: every leaf id must lie in")


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 1.5), ("alpha", np.nan), ("lambda_", -1.0), ("lambda_", np.inf), ("weight_like", np.nan)],
)
def test_a_trade_off_out_of_range_is_refused(feed: TinyFeed, model: Any, name: str, value: float) -> None:
    weights = {"weight_like": 1.0, "weight_click": 1.0, "weight_answer": 1.0}
    trade_off = {**SCALARS, **weights, name: np.float32(value)}

    _refused(model, "rank_weighted", {**dense_tensors(feed.rows[:5]), **trade_off}, f"{name}: must lie between")


def test_two_values_in_an_example_of_a_single_valued_feature_are_refused(feed: TinyFeed, model: Any) -> None:
    row = {**feed.rows[0], "votes": [1.0, 2.0]}

    with pytest.raises(tf.errors.InvalidArgumentError):
        model.signatures["serving_default"](examples=tf.constant(serialized([row])))


def test_an_example_without_its_embedding_is_refused(feed: TinyFeed, model: Any) -> None:
    row = {name: values for name, values in feed.rows[0].items() if name != "picture"}

    _refused(model, "serving_default", {"examples": serialized([row])}, "picture.*is required but could not be found")


def test_an_example_with_another_type_is_refused(feed: TinyFeed, model: Any) -> None:
    row = {**feed.rows[0], "votes": [b"many"]}

    _refused(model, "serving_default", {"examples": serialized([row])}, "votes.*Data types don't match")


def test_bytes_that_are_not_an_example_are_refused(model: Any) -> None:
    _refused(model, "serving_default", {"examples": [b"not an example"]}, "Could not parse example")
