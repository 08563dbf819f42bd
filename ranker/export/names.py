"""The names of signatures and of their inputs.

TensorFlow Serving and `tf.saved_model.load` use a signature's inputs as keyword arguments, so an input's name must be a
valid one: a column such as `author-country` cannot keep its name. A config checks these names, so their rules are in
`ranker.config.names`.
"""

from ranker.config.names import ALPHA, EXAMPLES, LAMBDA, input_name, input_names, weight_name

__all__ = [
    "ALPHA",
    "EXAMPLES",
    "LAMBDA",
    "SCORE_FEATURES",
    "SCORE_WITHOUT_EFFECTS",
    "SERVING_DEFAULT",
    "input_name",
    "input_names",
    "weight_name",
]

SERVING_DEFAULT = "serving_default"
"""The signature that takes serialised tf.Examples."""

SCORE_FEATURES = "score_features"
"""The signature that takes a tensor per column."""

SCORE_WITHOUT_EFFECTS = "score_without_effects"
"""The signature that takes serialised tf.Examples and ignores the ids in them; only of a model with random effects."""
