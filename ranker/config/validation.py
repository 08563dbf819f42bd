"""What a day's data must meet before anything is trained on it, in addition to the curated schema."""

from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Share


@dataclass(frozen=True, config=CHECKED)
class Validation:
    """What a day's data must meet before anything is trained on it, in addition to the curated schema.

    Attributes:
        max_unseen: share of a categorical or multi-valued column's values on the evaluated day that may be new, that
            is, occur on none of the days before it. Columns with many new values every day, such as ids of items, may
            have twice their usual share. 1 allows all values to be new.

    Example:
        >>> new_codes_today = Validation(max_unseen=1.0)
    """

    max_unseen: Share = 0.5
