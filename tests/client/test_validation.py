"""Requests whose inputs differ in their number of rows."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from feed_ranker_client.tensor_types import type_of_array
from feed_ranker_client.validation import InvalidRequestError, TensorForm, check_forms

FLOAT, STRING = type_of_array(np.dtype("float32")), type_of_array(np.dtype(object))


def test_only_an_input_with_a_default_may_have_one_row_for_all_candidates() -> None:
    signature = meta_graph_pb2.SignatureDef()
    for name, dtype in (("age", tf.float32), ("fans", tf.float32), ("viewer_id", tf.string)):
        signature.inputs[name].dtype = dtype.as_datatype_enum
        signature.inputs[name].tensor_shape.dim.add(size=-1)
    signature.defaults["viewer_id"].CopyFrom(tf.make_tensor_proto([""]))

    def check(age: int, fans: int, viewers: int) -> None:
        forms = {"age": TensorForm(FLOAT, (age,)), "fans": TensorForm(FLOAT, (fans,))}
        check_forms(signature, {**forms, "viewer_id": TensorForm(STRING, (viewers,))})

    check(5, 5, 1)
    check(5, 5, 5)
    with pytest.raises(InvalidRequestError, match=r"fans \(1\): fewer candidates"):
        check(5, 1, 1)
    with pytest.raises(InvalidRequestError, match=r"viewer_id \(2\): fewer candidates"):
        check(5, 5, 2)
