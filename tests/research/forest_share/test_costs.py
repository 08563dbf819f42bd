"""The session that models score."""

from types import SimpleNamespace

import pyarrow as pa
import tensorflow as tf

from pipeline_config import FEED
from ranker.config.columns import Exposure, Features, HashedId, History, MultiValued
from research.forest_share.costs import CANDIDATES, session


def test_a_session_has_every_input_of_the_signature_for_one_viewer() -> None:
    config = SimpleNamespace(
        features=Features(
            numeric=("age",),
            multi_valued=(MultiValued("topics"),),
            dense=FEED.features.dense,
            history=(History("authors", of="author_id", actions=("click",), length=7),),
            ids=(HashedId("viewer", column="viewer id"),),
            exposure=(Exposure("position", default=1.0),),
        )
    )
    specs = {
        "age": tf.TensorSpec([None], tf.float32),
        "topics": tf.TensorSpec([None, None], tf.string),
        "content_embedding": tf.TensorSpec([None, 32], tf.float32),
        "authors": tf.TensorSpec([None, None], tf.int64),
        "author_id": tf.TensorSpec([None], tf.string),
        "viewer": tf.TensorSpec([None], tf.string),
        "position": tf.TensorSpec([None], tf.float32),
    }
    table = pa.table(
        {
            "age": [1.0, None],
            "topics": [["a", "b"], None],
            "content_embedding": [[0.5] * 32, [1.0] * 32],
            "author_id": ["x", None],
            "viewer id": ["v", "v"],
            "position": [1, 2],
        }
    )
    signature = SimpleNamespace(structured_input_signature=((), specs))
    found = session(signature, config, table)  # type: ignore[arg-type]
    assert {name: (tensor.dtype, tensor.shape.rank) for name, tensor in found.items()} == {
        name: (spec.dtype, spec.shape.rank) for name, spec in specs.items()
    }
    assert found["authors"].shape == (1, 7)
    assert {len(tensor) for name, tensor in found.items() if name != "authors"} == {CANDIDATES}
    assert found["topics"][:2].numpy().tolist() == [[b"a", b"b"], [b"", b""]]
    assert found["author_id"][:2].numpy().tolist() == [b"x", b""]
    assert bool(tf.math.is_nan(found["age"][1]))
