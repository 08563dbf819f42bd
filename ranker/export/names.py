"""The names of columns in a signature.

TensorFlow Serving and `tf.saved_model.load` use a signature's inputs as keyword arguments, so an input's name must be a
valid one: a column such as `author-country` cannot keep its name.
"""

import keyword
import re
from collections.abc import Iterable

SERVING_DEFAULT = "serving_default"
"""The signature that takes serialised tf.Examples."""

EXAMPLES = "examples"
ALPHA = "alpha"
LAMBDA = "lambda_"  # `lambda` is a Python keyword


def weight_name(objective: str) -> str:
    """The input of `rank_weighted` for an objective's utility weight."""
    return f"weight_{objective}"


def input_name(column: str) -> str:
    """The name of a column's tensor in a signature: the column's own name if it is valid.

    Characters other than ASCII letters, digits and underscores become underscores, a name that does not start with a
    letter gets the prefix `f_`, and a keyword of Python the suffix `_`.
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", column)
    if not name[0].isalpha():
        name = f"f_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def input_names(columns: Iterable[str]) -> dict[str, str]:
    """Column → input name.

    Raises:
        ValueError: two columns would have the same name, or one would have the name of an input of `rank`. Names that
            differ only in case count as the same, because TensorFlow does not distinguish them.
    """
    names: dict[str, str] = {}
    taken = {ALPHA: f"the signature's own input {ALPHA!r}", LAMBDA: f"the signature's own input {LAMBDA!r}"}
    for column in columns:
        name = input_name(column)
        if other := taken.get(name.lower()):
            raise ValueError(
                f"serving: the column {column!r} would be the signature input {name!r}, which clashes with {other}; "
                "rename the column in the feed log"
            )
        taken[name.lower()] = f"the column {column!r}"
        names[column] = name
    return names
