"""How many models and runs are kept."""

from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED


@dataclass(frozen=True, config=CHECKED)
class Retention:
    """What is kept of the past.

    Attributes:
        models: newest versions at the push destination; the second is what a rollback returns to.
        runs: newest runs of the local runner whose artifacts stay on disk.
    """

    models: Annotated[int, Field(ge=2)] = 10
    runs: PositiveInt = 7
