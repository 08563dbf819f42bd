"""Odd values in a request: the error names input, candidate and what is expected."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from serving.protos import as_array
from serving.validation import InvalidRequestError, TensorForm

NUMBER, VECTOR = TensorForm(tf.float32, (None,)), TensorForm(tf.float32, (None, 3))
TEXT, TEXTS = TensorForm(tf.string, (None,)), TensorForm(tf.string, (None, None))


@pytest.mark.parametrize(
    ("form", "values", "said"),
    [
        (VECTOR, [[1, 2, 3], [1, None, 3]], "candidate 1 has None at position 1, which is not a number"),
        (VECTOR, [[1.0, 2.0, 3.0], None], "candidate 1 is None, which is not a list"),
        (VECTOR, [[1.0, 2.0, 3.0], [1.0, 2.0]], "candidate 1 has 2 values, but 3 are expected"),
        (VECTOR, [[1.0, 2.0, 3.0], []], "candidate 1 has 0 values, but 3 are expected"),
        (VECTOR, [[1.0, 2.0, 3.0], ["1", "2", "3"]], "candidate 1 has '1' at position 0, which is not a number"),
        (VECTOR, [{"a": 1.0}], "candidate 0 is {'a': 1.0}, which is not a list"),
        (VECTOR, np.array([[1.0, 2.0, 3.0], None], object), "candidate 1 is None, which is not a list"),
        (NUMBER, [1.0, None], "candidate 1 is None, which is not a number; a missing value is NaN"),
        (NUMBER, [1.0, "x" * 1000], f"candidate 1 is '{'x' * 79}, which is not a number"),
        (TEXT, ["a", None], 'candidate 1 is None, which is not text; a missing value is ""'),
        (TEXT, ["a", ["b"]], "candidate 1 is ['b'], which is not text"),
        (TEXTS, [["a"], None], "candidate 1 is None, which is not a list; without a value it is []"),
        (TEXTS, [["a"], ["b", None]], "candidate 1 has None at position 1, which is not text"),
        (TEXTS, [["a"], [["b"]]], "candidate 1 has ['b'] at position 0, which is not text"),
        (TEXTS, [["a"], "bc"], "candidate 1 is 'bc', which is not a list"),
        (TEXTS, [["a"], {"b": 1}], "candidate 1 is {'b': 1}, which is not a list"),
        (TEXTS, ["ab", "cd"], "candidate 0 is 'ab', which is not a list"),
    ],
)
def test_an_odd_value_is_named_with_its_candidate(form: TensorForm, values: Any, said: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        as_array("x", values, form)
    assert str(raised.value).startswith(f"x: must be {form}: {said}")


def test_lists_of_texts_are_padded() -> None:
    assert as_array("x", [["a"], [], ("b", b"c")], TEXTS).tolist() == [[b"a", b""], [b"", b""], [b"b", b"c"]]


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b", ""],
        [b"a", b"b", b""],
        ["a", b"b", ""],
        [np.str_("a"), np.bytes_(b"b"), ""],
        np.array(["a", "b", ""]),
        np.array([b"a", b"b", b""]),
        np.array([b"a", "b", ""], object),
    ],
    ids=str,
)
def test_texts_of_any_type_become_bytes(values: Any) -> None:
    found = as_array("device", values, TensorForm(tf.string, (None,)))
    assert found.dtype == object
    assert found.tolist() == [b"a", b"b", b""]
