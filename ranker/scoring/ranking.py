"""Orders the rows of each session by the utility."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from ranker.config.objectives import Objective
from ranker.config.utility import Utility
from ranker.scoring.description import Description
from ranker.scoring.scorer import Floats


def trade_off(
    description: Description, alpha: float | None, lambda_: float | None, weights: Mapping[str, float]
) -> tuple[tuple[Objective, ...], Utility]:
    """Objectives and utility of a ranking.

    Args:
        description: of the model, whose values hold where an argument gives none.
        alpha: weight of passive consumption.
        lambda_: weight of the other objectives.
        weights: objective → weight.

    Raises:
        ValueError: a number is out of range, a weight has another sign than the config's, or an objective is unknown.
    """
    given: dict[str, Any] = {"alpha": alpha, "lambda_": lambda_}
    try:
        utility = replace(description.utility, **{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    if unknown := sorted(set(weights) - set(description.objective_names)):
        raise ValueError(f"weights: {unknown} are not among the objectives {list(description.objective_names)}")
    for objective in description.objectives:
        low, high = objective.weight_range
        weight = weights.get(objective.name, 0.0)
        if not low <= weight <= high:
            raise ValueError(f"weights: {objective.name} must lie between {low:g} and {high:g}, got {weight}")
    objectives = tuple(
        replace(objective, utility_weight=float(weights.get(objective.name, objective.utility_weight)))
        for objective in description.objectives
    )
    return objectives, utility


def places(utility: Floats, sessions: pa.ChunkedArray | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of the rows, and the place of each in its session.

    Args:
        utility: [rows].
        sessions: [rows], what tells sessions apart; None where all rows are of one session.

    Returns:
        Row numbers, sessions in the order of their first row and the rows of each by descending utility, ties in their
        order; and, for each of these, its place, from 1.
    """
    rows = len(utility)
    numbers = np.zeros(rows, np.int64)
    if sessions is not None and rows:
        # Codes are given in the order of the first occurrence; null is a session of its own.
        encoded = sessions.combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = pa.concat_arrays(encoded.chunks)
        if pa.types.is_dictionary(encoded.type):
            encoded = encoded.dictionary_decode()
        codes = encoded.dictionary_encode(null_encoding="encode").indices
        numbers = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.lexsort((-utility, numbers))
    ordered = numbers[order]
    first = np.searchsorted(ordered, ordered)
    return order, np.arange(rows) - first + 1
