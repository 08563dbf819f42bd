"""The form in which a model is exported."""

from typing import Literal

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED

LeafTable = Literal["float32", "int8", "folded"]


@dataclass(frozen=True, config=CHECKED)
class Serving:
    """The form in which the model is exported; `docs/serving.md` has what each choice costs.

    Attributes:
        max_rows: candidates that a request may hold; more are refused.
        leaf_table: how the leaf embeddings are kept. `float32` keeps them as trained; `int8` keeps each leaf's vector
            as bytes with a range, in half of the memory or less; `folded` multiplies each by its rows of the first
            layer, so that a sum takes the place of a matrix product.
        xla: export `score_features_xla` and `rank_xla` too, compiled at the first request of each padded size; the
            server must have XLA linked in.
    """

    max_rows: PositiveInt = 8192
    leaf_table: LeafTable = "float32"
    xla: bool = False
