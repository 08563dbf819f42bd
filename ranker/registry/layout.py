"""Paths inside a version of a pushed model."""

SAVED_MODEL = "saved_model.pb"
MANIFEST = "assets.extra/feed_ranker.json"

WARMUP = "assets.extra/tf_serving_warmup_requests"
"""Requests that TensorFlow Serving replays before the version serves; the name is its own."""

STATE = "assets.extra/training_state"
"""What a later training continues from; TensorFlow Serving does not read it."""
FOREST, TRANSFORM_GRAPH, TOWER_STATE, EFFECT_STATE = "forest", "transform_graph", "towers", "effects"
"""The folders below `STATE`."""
