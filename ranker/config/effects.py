"""Random effects: what single viewers, authors or items add to the log-odds of the model."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, IN_ORDER, ColumnName, Count, Ordered, Real, Whole
from ranker.config.named import Named
from ranker.config.names import check_names

_REMEDY = "rename the column, or name the level after a HashedId of features.ids with column={}"

Variance = Annotated[Real, Field(gt=0.0, le=1e3)]


@dataclass(frozen=True, config=CHECKED)
class EffectLevel(Named):
    """One kind of entity. Each of its entities has a regularised logistic regression of its own.

    Attributes:
        column: the id column of the feed log, such as the keys `viewer` and `item`, or any other column of ids; or the
            name of one of `features.ids`, whose column may have another name.
        inputs: features that the regression reads beside its intercept: dense embeddings, by their principal
            components, and categorical features, by an indicator per frequent value. The towers must read them too.
        intercept_variance: the variance of the Gaussian prior of an intercept, in squared log-odds. The intercept is
            regularised too, as an entity without a positive would otherwise have an infinite one.
        input_variance: the same of every other coefficient.
        min_rows: an entity with fewer impressions has no effect yet.

    Example:
        >>> EffectLevel("viewer_id", inputs=("content_embedding",), min_rows=20).min_rows
        20
    """

    column: ColumnName
    inputs: Ordered[ColumnName] = ()
    intercept_variance: Variance = 0.01
    input_variance: Variance = 0.04
    min_rows: Count = 10

    def __post_init__(self) -> None:
        if twice := sorted({name for name in self.inputs if self.inputs.count(name) > 1}):
            raise ValueError(f"effects: {self.column}: inputs: {twice} occur more than once; name each once")


@dataclass(frozen=True, config=CHECKED)
class Effects:
    """Random effects on the log-odds of forest and towers, which stay as they are (GLMix; Zhang et al., KDD 2016).

    Attributes:
        levels: the kinds of entities. They are fitted one after another, each on top of those before it.
        components: principal components of a dense embedding that a regression reads.
        categories: most frequent values of a categorical feature that have an indicator.
        half_life_days: time in which an effect falls to half, and its variance rises accordingly, if the entity is not
            seen; None never forgets.
        gate_hours: the newest hours of the feed log that an update of the effects is judged on.
        max_loss_growth: the largest growth of the cross entropy on those hours, as a share of the served model's, of
            all impressions and of those of entities with many and with few impressions.
        beam: EffectsTrainer reads and fits on Beam, with the pipeline's `beam_pipeline_args`, instead of in one
            process. The effects are the same.

    Example:
        >>> Effects(levels=(EffectLevel("viewer_id"), EffectLevel("item_id"))).columns
        ('viewer_id', 'item_id')
    """

    levels: Annotated[tuple[EffectLevel, ...], Field(min_length=1, max_length=8), IN_ORDER]
    components: Annotated[Whole, Field(ge=1, le=64)] = 4
    categories: Annotated[Whole, Field(ge=1, le=64)] = 8
    half_life_days: Annotated[Real, Field(gt=0.0, le=10_000.0)] | None = 30.0
    gate_hours: Annotated[Real, Field(gt=0.0, le=10_000.0)] = 8.0
    max_loss_growth: Annotated[Real, Field(ge=0.0, le=1.0)] = 0.0
    beam: bool = False

    def __post_init__(self) -> None:
        check_names("effects.levels", self.columns, _REMEDY)

    @property
    def columns(self) -> tuple[str, ...]:
        """The id columns, in the order of the levels."""
        return tuple(level.column for level in self.levels)

    @property
    def in_one_process(self) -> "Effects":
        """The same effects without the setting that no result depends on: what fingerprints are computed from."""
        return replace(self, beam=False)
