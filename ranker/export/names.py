"""How columns are called in a signature.

TensorFlow Serving and `tf.saved_model.load` know a signature's inputs as keyword arguments, so an input's name must be
one: a column such as `author-country` cannot keep its name.
"""

import keyword
import re
from collections.abc import Iterable

SERVING_DEFAULT = "serving_default"
"""The signature that takes serialised tf.Examples."""

EXAMPLES = "examples"
ALPHA = "alpha"
LAMBDA = "lambda_"  # `lambda` itself is a keyword of Python


def weight_name(objective: str) -> str:
    """The input of `rank_weighted` that holds an objective's utility weight."""
    return f"weight_{objective}"


def input_name(column: str) -> str:
    """The name of a column's tensor in a signature: the column's own where that can be.

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
        ValueError: two columns would share a name, or one would be called as an input of `rank`. Names that differ in
            case alone count as shared, because TensorFlow cannot tell them apart.
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
