"""What the parts of a config share: pydantic's settings and the types of numbers and names, with their bounds."""

from typing import Annotated

from pydantic import ConfigDict, Field

CHECKED = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Pydantic's settings for every part: unknown fields, NaN and infinities are refused."""

MAX_WEIGHT = 1e6
"""The largest weight of an objective; with a larger one, float32 would lose the smaller terms of a sum."""

ColumnName = Annotated[str, Field(min_length=1)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0, le=MAX_WEIGHT)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
"""A learning rate or shrinkage; a larger one diverges."""

Ratio = Annotated[float, Field(ge=1e-3, le=1e3)]
"""A limit on a ratio that is 1 at best."""

Units = Annotated[int, Field(gt=0, le=65_536)]
"""The width of a vector or layer."""

Days = Annotated[int, Field(gt=0, le=3_650)]
Count = Annotated[int, Field(gt=0, le=1_000_000_000)]
"""A number of rows or positives."""

Seed = Annotated[int, Field(ge=0, lt=2**31)]
