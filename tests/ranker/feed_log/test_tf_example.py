import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from ranker.feed_log.tf_example import encode_examples

_floats = st.lists(st.floats(width=32, allow_nan=False), max_size=40)
_ints = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)
_bytes = st.lists(st.binary(max_size=300), max_size=4)
_row = st.tuples(*(st.none() | lists for lists in (_floats, _ints, _bytes)))


def parsed(examples: pa.BinaryArray) -> list[tf.train.Example]:
    return [tf.train.Example.FromString(example) for example in examples.to_pylist()]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(rows=st.lists(_row, min_size=1, max_size=12), name=st.text("abé", min_size=1, max_size=200))
def test_every_value_comes_back(
    rows: list[tuple[list[float] | None, list[int] | None, list[bytes] | None]], name: str
) -> None:
    floats, ints, strings = zip(*rows, strict=True)
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array(floats, pa.list_(pa.float32())),
            pa.array(ints, pa.list_(pa.int64())),
            pa.array(strings, pa.list_(pa.binary())),
        ],
        [name, "ints", "strings"],
    )
    for example, (row_floats, row_ints, row_strings) in zip(parsed(encode_examples(batch)), rows, strict=True):
        feature = example.features.feature
        present = {name: row_floats, "ints": row_ints, "strings": row_strings}
        assert set(feature) == {key for key, values in present.items() if values is not None}
        assert list(feature[name].float_list.value) == (row_floats or [])
        assert list(feature["ints"].int64_list.value) == (row_ints or [])
        assert list(feature["strings"].bytes_list.value) == (row_strings or [])


def test_the_same_examples_as_tfx_bsl_writes() -> None:
    rng = np.random.default_rng(7)
    rows = 500
    batch = pa.RecordBatch.from_pydict(
        {
            "x": pa.array([[value] for value in rng.normal(size=rows)], pa.list_(pa.float32())),
            "id": pa.array([[b"%d" % value] for value in rng.integers(0, 10**9, rows)], pa.list_(pa.binary())),
            "y": pa.array([[value] for value in rng.integers(0, 2, rows)], pa.list_(pa.int64())),
            "embedding": pa.array(list(rng.normal(size=(rows, 32))), pa.list_(pa.float32())),
            "topics": pa.array([[b"t"] * size for size in rng.integers(0, 5, rows)], pa.list_(pa.binary())),
        }
    )
    theirs = [tf.train.Example.FromString(example) for example in RecordBatchToExamplesEncoder().encode(batch)]
    assert parsed(encode_examples(batch)) == theirs
    assert parsed(encode_examples(batch.slice(100, 50))) == theirs[100:150]


def test_other_types_are_refused() -> None:
    for column in (pa.array([1.0]), pa.array([[1.0]], pa.list_(pa.float64())), pa.array([[1, None]])):
        with pytest.raises(TypeError, match="column 'x': "):
            encode_examples(pa.RecordBatch.from_arrays([column], ["x"]))
