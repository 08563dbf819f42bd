"""The columns of a table of scores."""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from ranker.config.objectives import Objective
from ranker.config.utility import Utility
from ranker.feed_log.layout import FeedLogError
from ranker.scoring.scorer import Floats, Scores

SCORE = "score"
"""The column of the utility."""

RANK = "rank"
"""The column of the place in a session, from 1."""


def check_kept(where: str, keep: Sequence[str], objectives: Collection[str] = ()) -> None:
    """Checks that a result can have these columns of a table beside its own.

    Args:
        where: the table, for the message.
        keep: the columns that are kept.
        objectives: the names of the result's own columns that may not be taken.

    Raises:
        FeedLogError: a column is named twice, or has the name of an objective.
    """
    for number, name in enumerate(keep):
        if name in keep[:number]:
            raise FeedLogError(f"{where}: column {name!r} cannot be kept twice")
        if name in objectives:
            raise FeedLogError(f"{where}: column {name!r} cannot be kept, as its name is that of a probability")


def utility_of(scores: Scores, objectives: Sequence[Objective], utility: Utility) -> Floats:
    """The utility of each row, float32 [rows], as the signature `rank` computes it."""
    factors = np.asarray(utility.coefficients(objectives), np.float64)
    return (factors @ scores.relevance.astype(np.float64)).astype(np.float32)


def scored_columns(
    kept: Sequence[tuple[pa.Field, pa.Array]], scores: Scores, objectives: Sequence[str], utility: Floats
) -> pa.Table:
    """Kept columns, the utility of each row, and a probability per objective; see `scored_schema`."""
    arrays = [
        *(array for _, array in kept),
        pa.array(utility),
        *(pa.array(probability) for probability in scores.probabilities),
    ]
    return pa.Table.from_arrays(arrays, schema=scored_schema([field for field, _ in kept], objectives))


def scored_schema(kept: Sequence[pa.Field], objectives: Sequence[str]) -> pa.Schema:
    """The schema of a table of scores: the kept columns as they are, `score` float32, and the objectives float32.

    `score` becomes `score_` where a kept column or an objective has that name.
    """
    score = free_name(SCORE, {*(field.name for field in kept), *objectives})
    return pa.schema([*kept, pa.field(score, pa.float32()), *(pa.field(name, pa.float32()) for name in objectives)])


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with as many underscores behind it as make it differ from those that are taken.

    Example:
        >>> free_name("score", {"click", "score"})
        'score_'
    """
    while name in taken:
        name += "_"
    return name
