"""Numeric columns."""

from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED
from ranker.config.kinds.column import FeatureColumn


@dataclass(frozen=True, config=CHECKED)
class Numeric(FeatureColumn):
    """A column with one number per impression. A config may give its name alone.

    Example:
        >>> Numeric("price_eur", column="Price (EUR)").source
        'Price (EUR)'
    """

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The number."""
        return (self.name,)
