"""Paths inside a version of a pushed model."""

SAVED_MODEL = "saved_model.pb"
MANIFEST = "assets.extra/feed_ranker.json"

WARMUP = "assets.extra/tf_serving_warmup_requests"
"""Requests that TensorFlow Serving replays before the version serves; the name is its own."""

STATE = "assets.extra/training_state"
"""What a later training continues from; TensorFlow Serving does not read it."""
FOREST, TRANSFORM_GRAPH, TOWER_STATE, EFFECT_STATE = "forest", "transform_graph", "towers", "effects"
"""The folders below `STATE`."""

_LARGEST = 2**63 - 1


def is_version(name: str) -> bool:
    """Whether TensorFlow Serving takes a folder for a version: its name is a number of at most 63 bits.

    Example:
        >>> is_version("1795992807"), is_version("canary"), is_version("20261129073500123456")
        (True, False, False)
    """
    return name.isascii() and name.isdecimal() and len(name) <= len(str(_LARGEST)) and int(name) <= _LARGEST
