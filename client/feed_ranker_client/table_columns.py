"""Columns of a table as inputs of a signature: None becomes the missing value of the input's kind."""

import math
from collections.abc import Sequence
from typing import Any

from feed_ranker_client.validation import TensorForm


def filled(values: Sequence[Any], form: TensorForm, optional: bool) -> list[Any]:
    """A column's values, with the missing value of the input's kind in place of None."""
    texts = form.dtype.is_text
    inner: Any = "" if texts else math.nan
    if len(form.shape) == 1:
        return [inner if value is None else value for value in values]
    rows: list[Any] = []
    for value in values:
        # A dense embedding has no missing value: None stays, and the request is refused by name. A history has one.
        row = value
        if value is None and (texts or optional):
            row = [0] * (form.shape[1] or 0)
        rows.append([inner if part is None else part for part in row] if texts else row)
    return rows
