"""The two-tower network."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from ranker.config.columns import Categorical, Features
from ranker.config.fields import CHECKED, ColumnName, Fraction


@dataclass(frozen=True, config=CHECKED)
class Isotonic:
    """A monotone, piecewise linear function of each objective's logit; `docs/calibration.md` explains it.

    Attributes:
        buckets: pieces of equal width.
        low: the logit where the first one begins; below, it goes on.
        high: the logit where the last one ends; above, it goes on.
        by: a categorical feature whose values each have a function of their own; None has one function for all.
    """

    buckets: PositiveInt = 12
    low: FiniteFloat = -8.0
    high: FiniteFloat = 4.0
    by: ColumnName | None = None

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"isotonic: low must be below high, got {self.low} and {self.high}")


@dataclass(frozen=True, config=CHECKED)
class Towers:
    """The shape of the two-tower network.

    Attributes:
        leaf_embedding_size: floats per leaf of the embedding table.
        hidden: units of each tower's layers, from the input up.
        dense_input: what happens to a dense embedding before it joins the leaf embeddings.
        dense_projection_size: units of the projection, where there is one.
        numeric_input: feed the normalised numeric features to the towers as well, beside the leaves.
        categorical_embedding_size: floats per value of each categorical feature, in an embedding of its own beside the
            leaves; 0 shows the towers categorical features by their leaves only, as in the source.
        cross_rank: rank of the layer that multiplies everything beside the leaves with each other (DCN v2, Wang et al.,
            2021), so that the towers see which viewers like which content embeddings; 0 leaves it out.
        dropout: share of each hidden layer's units dropped in training.
        shared: one tower for all objectives, the source's first attempt, instead of one per group.
        forest_share: what the forest's own prediction weighs in each objective's log-odds, beside the towers'. Both
            come from the same leaves and err in different ways, rare objectives most of all. 0, and nothing else with
            the forest target `any`, serves the towers alone, as the source does.
        isotonic: a calibration of the towers' logits that is learnt with them, as in LiRank; None leaves it out.
    """

    leaf_embedding_size: PositiveInt = 4
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (128, 64)
    dense_input: Literal["none", "batch_norm", "projection", "batch_norm_projection"] = "batch_norm_projection"
    dense_projection_size: PositiveInt = 16
    numeric_input: bool = True
    categorical_embedding_size: NonNegativeInt = 8
    cross_rank: NonNegativeInt = 32
    dropout: Fraction = 0.0
    shared: bool = False
    forest_share: Fraction = 0.3
    isotonic: Isotonic | None = None

    def calibrated_by(self, features: Features) -> Categorical | None:
        """The feature whose values each have a calibration of their own; None where there is none."""
        by = self.isotonic.by if self.isotonic else None
        return next((feature for feature in features.categorical if feature.name == by), None)
