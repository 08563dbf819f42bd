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


def check_kept(where: str, kept: Sequence[str], objectives: Sequence[str]) -> None:
    """Checks that no kept column has the name of a probability; raises FeedLogError, which calls the rows `where`."""
    if taken := [name for name in kept if name in objectives]:
        raise FeedLogError(f"{where}: column {taken[0]!r} cannot be kept, as its name is that of a probability")


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with as many underscores behind it as make it differ from those that are taken.

    Example:
        >>> free_name("score", {"click", "score"})
        'score_'
    """
    while name in taken:
        name += "_"
    return name
