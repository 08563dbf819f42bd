"""Empty strings, nulls, NaN and padding mean the same in a feed log, in an Example and in dense tensors.

A row of a feed log is converted by FeedLogGen, whose output training reads. The same row in every other
spelling is then scored by every signature of raw features.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from ranker.export.raw_features import RawFeatures
from ranker.features.registry import feature_kinds
from ranker.feed_log.conversion import to_lists
from tests.ranker.export.feed import FEATURES, OBJECTIVES, SCHEMA, Row, TinyFeed, dense_tensors, serialized

pytestmark = pytest.mark.slow

NAN = float("nan")
BASE: Row = {"hours-old": [2.0], "votes": [9.0], "device": [b"ios"], "topics": [b"art"], "picture": [0.1, 0.2, 0.3]}
ABSENT = None  # an Example without the feature


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
    "numeric, 0 is a value": Case("votes", [0, 0.0], [[0.0]], [0.0]),
    "categorical, missing": Case("device", [None, ""], [ABSENT, [], [b""]], [b""]),
    "categorical, a value": Case("device", ["web"], [[b"web"]], [b"web"]),
    "multi-valued, none": Case(
        "topics", [None, [], [""], [None], ["", None]], [ABSENT, [], [b""], [b"", b""]], [[], [b""], [b"", b"", b""]]
    ),
    "multi-valued, one": Case(
        "topics",
        [["law"], ["", "law"], ["law", None, ""]],
        [[b"law"], [b"", b"law"], [b"law", b"", b""]],
        [[b"law"], [b"", b"law", b""]],
    ),
    "multi-valued, two": Case(
        "topics",
        [["law", "sea"], ["law", None, "", "sea"]],
        [[b"law", b"sea"], [b"", b"law", b"", b"sea"]],
        [[b"law", b"sea"], [b"", b"law", b"", b"sea", b""]],
    ),
    "multi-valued, one never seen": Case("topics", [["moon", ""]], [[b"moon"], [b"", b"moon"]], [[b"moon", b""]]),
}
DISTINCT = [("numeric", 2), ("categorical", 2), ("multi-valued", 4)]


def logged_example(column: str, value: Any) -> bytes:
    """The Example that FeedLogGen writes for BASE with another value of a column."""
    values = {name: BASE[name][0] if name in ("hours-old", "votes", "device") else BASE[name] for name in BASE}
    values[column] = value
    columns = [kind.log_column for _, kind in feature_kinds(FEATURES)]
    lists = [to_lists(column, pa.array([values[column.name]])) for column in columns]
    batch = pa.RecordBatch.from_arrays(lists, [column.name for column in columns])
    [example] = RecordBatchToExamplesEncoder().encode(batch)
    return example


def raw_example(column: str, values: list[Any] | None) -> bytes:
    """An Example of BASE with other values of a column, without conversion."""
    row = {name: value for name, value in BASE.items() if name != column}
    [example] = serialized([row if values is None else row | {column: values}])
    return example


def request(column: str, value: Any) -> dict[str, tf.Tensor]:
    """The tensors of BASE with another value of a column."""
    dtype = tf.float32 if column == "votes" else tf.string
    return {**dense_tensors([BASE]), column: tf.constant([value], dtype)}


@pytest.fixture(scope="module")
def model(saved_model: Path) -> Any:
    """The loaded model."""
    return tf.saved_model.load(str(saved_model))


def scores_of(model: Any, signature: str, **tensors: tf.Tensor) -> np.ndarray:
    outputs = model.signatures[signature](**tensors)
    return np.concatenate([outputs[o.name].numpy() for o in OBJECTIVES])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_signature_gives_the_scores_of_the_logged_row(model: Any, case: Case) -> None:
    logged = [logged_example(case.column, value) for value in case.logged]
    expected = scores_of(model, "serving_default", examples=tf.constant(logged[:1]))
    trade_off = {"alpha": tf.constant(0.4), "lambda_": tf.constant(0.2)}
    weights = {"like": 0.6 * 3.0, "click": 0.4, "answer": 0.2 * 2.0}
    ranked = sum(weights[o.name] * expected[i] for i, o in enumerate(OBJECTIVES))

    for example in (*logged, *(raw_example(case.column, values) for values in case.examples)):
        found = scores_of(model, "serving_default", examples=tf.constant([example]))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    for value in case.dense:
        tensors = request(case.column, value)
        np.testing.assert_allclose(scores_of(model, "score_features", **tensors), expected, atol=1e-6)
        for signature in ("rank", "rank_weighted"):
            extra = {f"weight_{o.name}": tf.constant(o.utility_weight) for o in OBJECTIVES}
            inputs = {**tensors, **trade_off, **(extra if signature == "rank_weighted" else {})}
            np.testing.assert_allclose(model.signatures[signature](**inputs)["score"], [ranked], atol=5e-6)


def transformed(feed: TinyFeed, raw: RawFeatures, parsed: Any) -> bytes:
    graph = tft.TFTransformOutput(str(feed.graph))
    outputs = graph.transform_raw_features(parsed, drop_unused_features=True)
    return b"".join(outputs[name].numpy().tobytes() for name in sorted(outputs))


@pytest.mark.parametrize(("kind", "distinct"), DISTINCT)
def test_forest_and_towers_read_the_same_for_one_value_and_another_for_another(
    feed: TinyFeed, kind: str, distinct: int
) -> None:
    raw = RawFeatures(FEATURES, SCHEMA)
    found: list[bytes] = []
    for case in (case for name, case in CASES.items() if name.startswith(kind)):
        examples = [logged_example(case.column, value) for value in case.logged]
        examples += [raw_example(case.column, values) for values in case.examples]
        read = {transformed(feed, raw, raw.parse(tf.constant([example]))) for example in examples}
        read |= {transformed(feed, raw, raw.from_dense(request(case.column, value))) for value in case.dense}
        assert len(read) == 1, case
        found += read
    assert len(set(found)) == distinct


def test_a_batch_of_all_spellings_is_read_as_each_of_them_alone(model: Any) -> None:
    cases = [case for case in CASES.values() if case.column == "topics"]
    examples = [raw_example("topics", values) for case in cases for values in case.examples]
    together = model.signatures["serving_default"](examples=tf.constant(examples))
    alone = np.stack([scores_of(model, "serving_default", examples=tf.constant([example])) for example in examples])
    np.testing.assert_allclose(np.stack([together[o.name] for o in OBJECTIVES], axis=1), alone, atol=1e-6)
