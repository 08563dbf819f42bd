"""What the parts of a config share: pydantic's settings and the types of numbers and names."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import ConfigDict, Field

CHECKED = ConfigDict(extra="forbid")
"""Pydantic's settings for every part: unknown fields are refused."""

ColumnName = Annotated[str, Field(min_length=1)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]


def check_names(field: str, names: Iterable[str]) -> None:
    """Checks that names are distinct and can be used as columns.

    Raises:
        ValueError: a name occurs twice, or contains white space, a slash, a comma or an equals sign.
    """
    names = tuple(names)
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ValueError(f"{field}: names must be unique, but {twice} occur more than once")
    if odd := sorted(name for name in names if re.search(r"[\s/,=]", name)):
        raise ValueError(f"{field}: names may not hold spaces, slashes, commas or equals signs, got {odd}")
