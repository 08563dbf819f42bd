"""Where the feed log says which impressions stood at random positions."""

from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName


@dataclass(frozen=True, config=CHECKED)
class Exploration:
    """The columns of a log in which a share of the sessions was shown in random order; never features.

    From such sessions, replay metrics estimate what another order would have been worth (`ranker.evaluation.replay`).

    Attributes:
        randomised: 1 where the item's position was drawn at random, else 0.
        propensity: the chance that this item stood at this position, above 0 and at most 1: 1/n in a session of n items
            in random order. Null where the position was not drawn at random.

    Example:
        >>> Exploration(randomised="is_shuffled").names
        ('is_shuffled', 'propensity')
    """

    randomised: ColumnName = "is_randomised"
    propensity: ColumnName = "propensity"

    @property
    def names(self) -> tuple[str, str]:
        """The names of both columns."""
        return self.randomised, self.propensity
