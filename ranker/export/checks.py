"""What a request must hold to, as assertions in the graph, so that every server refuses what would give wrong scores.

Each failure is an InvalidArgumentError that names the input. They cost about a twentieth of a millisecond a request;
what a server or client can tell from the request alone (`serving.validation`) is not repeated here.
"""

from collections.abc import Iterable, Mapping, Sequence

import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]


def check_shapes(tensors: Tensors, specs: Mapping[str, tf.TensorSpec], max_rows: int) -> dict[str, tf.Tensor]:
    """The tensors, of the shapes that a signature names, with equally many rows: at least one, at most `max_rows`.

    Scalars are let through.
    """
    shaped = {name: tf.ensure_shape(tensor, specs[name].shape, name=name) for name, tensor in tensors.items()}
    counted = {name: tensor for name, tensor in shaped.items() if specs[name].shape.rank}
    rows = tf.stack([tf.shape(tensor)[0] for tensor in counted.values()])
    most = tf.reduce_max(rows)
    fewer = tf.boolean_mask(tf.constant(list(counted)), rows < most)
    names = ", ".join(counted)
    assertions = [
        _assert(
            tf.reduce_all(rows == most),
            ["these inputs have fewer rows than the others, but every input has one row a candidate:", fewer],
        ),
        _assert(most > 0, [f"{names}: the request holds no candidates"]),
        _assert(most <= max_rows, [f"{names}: a request holds at most {max_rows} candidates, this one:", most]),
    ]
    with tf.control_dependencies(assertions):
        return {name: tf.identity(tensor) for name, tensor in shaped.items()}


def check_finite(tensors: Tensors) -> dict[str, tf.Tensor]:
    """The tensors, none of which holds NaN or infinity."""
    checked = {}
    for name, tensor in tensors.items():
        finite = tf.reduce_all(tf.math.is_finite(tensor))
        assertion = _assert(finite, [f"{name}: holds NaN or infinity, but every number must be finite"])
        with tf.control_dependencies([assertion]):
            checked[name] = tf.identity(tensor)
    return checked


def check_scores(probabilities: tf.Tensor, dense: Iterable[str]) -> tf.Tensor:
    """Probabilities none of which is NaN, as they become where an embedding's numbers exceed float32 on their way."""
    finite = tf.reduce_all(tf.math.is_finite(probabilities))
    assertion = _assert(finite, [f"{', '.join(dense)}: numbers too large to be scored"])
    with tf.control_dependencies([assertion]):
        return tf.identity(probabilities)


def check_range(name: str, tensor: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """A float tensor, all of it from `low` to `high`; NaN is not."""
    inside = tf.reduce_all((tensor >= low) & (tensor <= high))
    assertion = _assert(inside, [f"{name}: must lie between {low:g} and {high:g}, got:", tensor])
    with tf.control_dependencies([assertion]):
        return tf.identity(tensor)


def check_leaves(leaves: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Leaf numbers [batch, trees], each in [0, limit), where `limit` is a scalar or one number a tree."""
    known = tf.reduce_all((leaves >= 0) & (leaves < limit))
    assertion = _assert(known, ["leaves: every leaf id must lie in [0, limit), with limit:", limit])
    with tf.control_dependencies([assertion]):
        return tf.identity(leaves)


def check_codes(name: str, codes: tf.Tensor, limits: Sequence[int]) -> tf.Tensor:
    """Codes of values [batch, features], each in [0, the limit of its feature)."""
    known = tf.reduce_all((codes >= 0) & (codes < tf.constant(limits, codes.dtype)))
    assertion = _assert(
        known, [f"{name}: every code must lie in [0, limit), as Transform writes it, with limit:", tf.constant(limits)]
    )
    with tf.control_dependencies([assertion]):
        return tf.identity(codes)


def _assert(condition: tf.Tensor, data: Sequence[tf.Tensor | str]) -> tf.Operation:
    """Without the branch that `tf.debugging.Assert` puts around each, which costs more than what it guards."""
    return tf.raw_ops.Assert(condition=condition, data=[tf.convert_to_tensor(part) for part in data], summarize=100)
