"""Request validation as assertions in the graph, so that every server refuses a request that would give wrong scores.

Each failure is an InvalidArgumentError that names the input. The assertions cost about 0.05 ms per request. Checks that
need only the request, and that a server or client can make (`feed_ranker_client.validation`), are not repeated here.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]

_NOISE = re.compile(r'^(Graph execution error:|Detected at node .*|<stack traces unavailable>|\s*File ".*|\s*\[\[.*)?$')
_ASSERTED = re.compile(r"assertion failed: \[(.*)\]")


def check_shapes(
    tensors: Tensors, specs: Mapping[str, tf.TensorSpec], max_rows: int, optional: Collection[str] = ()
) -> tuple[dict[str, tf.Tensor], list[tf.Operation]]:
    """Checks that tensors have a signature's shapes and the same number of rows: at least one, at most `max_rows`.

    Scalars have no rows to check. A tensor of `optional` with one row is repeated to the number of the others.

    Returns:
        The tensors with their shapes, and what must run before any of them is used.
    """
    shaped = {name: tf.ensure_shape(tensor, specs[name].shape, name=name) for name, tensor in tensors.items()}
    if optional:
        required = [tensor for name, tensor in shaped.items() if specs[name].shape.rank and name not in optional]
        candidates = tf.reduce_max(_rows(required))
        shaped |= {name: _repeated(shaped[name], candidates) for name in optional}
    counted = {name: tensor for name, tensor in shaped.items() if specs[name].shape.rank}
    rows = _rows(list(counted.values()))
    most = tf.reduce_max(rows)
    fewer = tf.gather(tf.constant(list(counted)), tf.where(rows < most))
    names = ", ".join(counted)
    return shaped, [
        _assert(
            tf.reduce_all(rows == most),
            ["these inputs have fewer rows than the others, but every input has one row per candidate:", fewer],
        ),
        _assert(most > 0, [f"{names}: the request holds no candidates"]),
        _assert(most <= max_rows, [f"{names}: a request holds at most {max_rows} candidates, this one:", most]),
    ]


def check_finite(tensors: Tensors) -> dict[str, tf.Tensor]:
    """Checks that no tensor contains NaN or infinity."""
    checked = {}
    for name, tensor in tensors.items():
        finite = tf.reduce_all(tf.math.is_finite(tensor))
        assertion = _assert(finite, [f"{name}: holds NaN or infinity, but every number must be finite"])
        with tf.control_dependencies([assertion]):
            checked[name] = tf.identity(tensor)
    return checked


def check_scores(probabilities: tf.Tensor, dense: Iterable[str]) -> tf.Tensor:
    """Checks that no probability is NaN, which happens if products of an embedding's numbers overflow float32."""
    finite = tf.reduce_all(tf.math.is_finite(probabilities))
    assertion = _assert(finite, [f"{', '.join(dense)}: numbers too large to be scored"])
    with tf.control_dependencies([assertion]):
        return tf.identity(probabilities)


def check_range(name: str, tensor: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Checks that every value of a float tensor is in [`low`, `high`]; NaN is not."""
    inside = tf.reduce_all((tensor >= low) & (tensor <= high))
    assertion = _assert(inside, [f"{name}: must lie between {low:g} and {high:g}, got:", tensor])
    with tf.control_dependencies([assertion]):
        return tf.identity(tensor)


def check_leaves(leaves: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Checks that leaf ids [batch, trees] are in [0, limit), where `limit` is a scalar or [trees]."""
    known = tf.reduce_all((leaves >= 0) & (leaves < limit))
    assertion = _assert(known, ["leaves: every leaf id must lie in [0, limit), with limit:", limit])
    with tf.control_dependencies([assertion]):
        return tf.identity(leaves)


def check_codes(name: str, codes: tf.Tensor, limits: Sequence[int]) -> tf.Tensor:
    """Checks that codes of values [batch, features] are in [0, the feature's limit)."""
    known = tf.reduce_all((codes >= 0) & (codes < tf.constant(limits, codes.dtype)))
    assertion = _assert(
        known, [f"{name}: every code must lie in [0, limit), as Transform writes it, with limit:", tf.constant(limits)]
    )
    with tf.control_dependencies([assertion]):
        return tf.identity(codes)


def in_short(error: tf.errors.OpError) -> str:
    """The message of an error of a graph without names of operations and stack traces; of an assertion, what it says.

    Example:
        >>> message = "assertion failed: [picture: too large]\\n\\t [[{{node Assert}}]]"
        >>> in_short(tf.errors.InvalidArgumentError(None, None, message))
        'picture: too large'
    """
    text = " ".join(line for line in str(error.message).splitlines() if not _NOISE.match(line))
    asserted = _ASSERTED.search(text)
    return asserted[1].replace("] [", " ") if asserted else text


def _rows(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """int32 [tensors]: the number of rows of each. One operation finds the shapes of all tensors of a type."""
    parts, order = [], []
    for dtype in sorted({tensor.dtype for tensor in tensors}, key=str):
        of_type = [i for i, tensor in enumerate(tensors) if tensor.dtype == dtype]
        shapes = tf.raw_ops.ShapeN(input=[tensors[i] for i in of_type])
        first = np.cumsum([0, *(tensors[i].shape.rank for i in of_type[:-1])])
        flat = tf.concat(shapes, axis=0) if len(shapes) > 1 else shapes[0]
        parts.append(tf.gather(flat, first) if len(first) < flat.shape[0] else flat)
        order += of_type
    found = tf.concat(parts, axis=0) if len(parts) > 1 else parts[0]
    return found if order == sorted(order) else tf.gather(found, np.argsort(order))


def _repeated(column: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """A tensor [1, …] repeated to [rows, …]; any other number of rows is kept."""
    return tf.repeat(column, tf.where(tf.shape(column)[0] == 1, rows, 1), axis=0)


def _assert(condition: tf.Tensor, data: Sequence[tf.Tensor | str]) -> tf.Operation:
    """Without the conditional that `tf.debugging.Assert` adds around an assertion, which costs more than the check."""
    return tf.raw_ops.Assert(condition=condition, data=[tf.convert_to_tensor(part) for part in data], summarize=100)
