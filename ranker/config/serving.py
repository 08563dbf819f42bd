"""How a model is exported for serving."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Whole

LeafTable = Literal["float32", "bfloat16", "int8", "folded"]


@dataclass(frozen=True, config=CHECKED)
class Serving:
    """How the model is exported for serving; `docs/serving.md` lists what each choice costs.

    Attributes:
        max_rows: maximum number of candidates per request; larger requests are refused.
        leaf_table: how the leaf embeddings are stored. `float32` stores them as trained. `bfloat16` rounds them and
            their product with the first layer to 8 bits of precision, which is fast on a CPU with products of that type
            (AMX or AVX512-BF16) and slow on others. `int8` stores each leaf's vector as bytes with a range, in at most
            half of the memory. `folded` premultiplies each embedding by its rows of the first layer, so that a sum
            replaces a matrix product.
        xla: also export `score_features_xla` and `rank_xla`, which are compiled at the first request of each padded
            size; the server must be linked with XLA.

    Example:
        >>> compact = Serving(max_rows=2000, leaf_table="int8")
    """

    max_rows: Annotated[Whole, Field(gt=0, le=1_000_000)] = 8192
    leaf_table: LeafTable = "float32"
    xla: bool = False
