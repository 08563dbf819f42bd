"""How much a model owes to each feature column."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ranker.evaluation.intervals import Estimate

MOST_GROUPS = 20
OTHERS = "other columns"


@dataclass(frozen=True)
class GroupImportance:
    """What the model loses on the held-out day if the values of a group of columns are shuffled among impressions.

    Attributes:
        name: of the group.
        columns: its columns, which are shuffled together.
        growth: by objective, the increase of normalized entropy; about 0 for columns that the model does not use.
    """

    name: str
    columns: tuple[str, ...]
    growth: dict[str, Estimate]


@dataclass(frozen=True)
class Importance:
    """The importance of the feature columns.

    Attributes:
        gains: each column's share of the forest's gain, by output of the forest.
        groups: what shuffling each group of columns costs the model.
        impressions: number of impressions of the held-out day that were shuffled.
    """

    gains: dict[str, dict[str, float]] = field(default_factory=dict)
    groups: tuple[GroupImportance, ...] = ()
    impressions: int = 0


def column_groups(columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Columns by the first word of their names; a column whose first word no other column has is its own group.

    Of more than `MOST_GROUPS` groups, the last ones of single columns are joined.

    Example:
        >>> column_groups(["viewer_age", "hour", "viewer_country"])
        {'viewer_…': ('viewer_age', 'viewer_country'), 'hour': ('hour',)}
    """
    by_word: dict[str, list[str]] = {}
    for column in columns:
        by_word.setdefault(column.split("_")[0], []).append(column)
    groups = {f"{word}_…" if len(of) > 1 else of[0]: tuple(of) for word, of in by_word.items()}
    if len(groups) <= MOST_GROUPS:
        return groups
    single = [name for name, of in groups.items() if len(of) == 1]
    joined = single[-(len(groups) - MOST_GROUPS + 1) :]
    kept = {name: of for name, of in groups.items() if name not in joined}
    return {**kept, OTHERS: tuple(joined)}
