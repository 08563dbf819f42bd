"""The two-tower network."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.columns import FeatureColumn, Features
from ranker.config.fields import CHECKED, IN_ORDER, ColumnName, Fraction, Real, Units, Whole

LogOdds = Annotated[Real, Field(ge=-100.0, le=100.0)]
Width = Annotated[Whole, Field(ge=0, le=4_096)]  # 0 for none


@dataclass(frozen=True, config=CHECKED)
class Isotonic:
    """A monotone, piecewise linear function of each objective's logit; `docs/calibration.md` explains it.

    Attributes:
        buckets: number of linear pieces, of equal width.
        low: the logit where the first piece begins; the piece also applies below it.
        high: the logit where the last piece ends; the piece also applies above it.
        by: a categorical feature, each value of which has its own function; None uses one function for all.

    Raises:
        ValueError: `low` is not below `high`.

    Example:
        >>> finer = Isotonic(buckets=24, by="device")
    """

    buckets: Annotated[Whole, Field(gt=0, le=1_000)] = 12
    low: LogOdds = -8.0
    high: LogOdds = 4.0
    by: ColumnName | None = None

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"isotonic: low must be below high, got {self.low} and {self.high}")


@dataclass(frozen=True, config=CHECKED)
class Towers:
    """The shape of the two-tower network.

    Attributes:
        leaf_embedding_size: floats per leaf in the embedding table.
        hidden: units of each tower's layers, starting at the input.
        dense_input: how a dense embedding is processed before it is concatenated with the leaf embeddings.
        dense_projection_size: units of the projection, where there is one.
        numeric_input: also feed the normalised numeric features to the towers, in addition to the leaves.
        categorical_embedding_size: floats per value in a separate embedding of each categorical feature, in addition to
            the leaves. With 0 the towers see categorical features only through the leaves, as in the source.
        cross_rank: rank of the cross layer on all inputs other than the leaves (DCN v2, Wang et al., 2021). It lets the
            towers learn which viewers like which content embeddings. 0 disables it.
        dropout: share of each hidden layer's units dropped in training.
        leaf_dropout: share of the trees whose leaf embeddings are dropped in a training step, the same trees for all
            its impressions. The towers then rely less on any one tree, and overfit less over several epochs.
        members: size of the ensemble in each tower. Members share everything up to the first layer's matrix product,
            and have their own layers behind it; their log-odds are averaged (after TabM, Gorishniy et al., 2025). 1 is
            a plain tower.
        shared: one tower for all objectives, the source's first attempt, instead of one per group.
        forest_share: weight of the forest's own prediction in each objective's log-odds; the towers have the rest. Both
            use the same leaves but make different errors, most of all on rare objectives. With 0 the towers are served
            alone, as in the source; the forest target `any` requires 0.
        isotonic: a calibration of the towers' logits that is learnt jointly, as in LiRank; None disables it.

    Example:
        >>> wide = Towers(hidden=(256, 128), dropout=0.1)
        >>> calibrated_by_device = Towers(isotonic=Isotonic(by="device"))
    """

    leaf_embedding_size: Annotated[Whole, Field(gt=0, le=4_096)] = 4
    hidden: Annotated[tuple[Units, ...], Field(min_length=1, max_length=32), IN_ORDER] = (128, 64)
    dense_input: Literal["none", "batch_norm", "projection", "batch_norm_projection"] = "batch_norm_projection"
    dense_projection_size: Units = 16
    numeric_input: bool = True
    categorical_embedding_size: Width = 8
    cross_rank: Width = 64
    dropout: Fraction = 0.0
    leaf_dropout: Fraction = 0.5
    members: Annotated[Whole, Field(gt=0, le=64)] = 4
    shared: bool = False
    forest_share: Fraction = 0.15
    isotonic: Isotonic | None = None

    def calibrated_by(self, features: Features) -> FeatureColumn | None:
        """The feature whose values have their own calibrations; None without such a feature."""
        by = self.isotonic.by if self.isotonic else None
        return next((feature for feature in features.coded if feature.name == by), None)
