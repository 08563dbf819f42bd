"""How many models and runs are kept."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Whole


@dataclass(frozen=True, config=CHECKED)
class Retention:
    """How many models and runs are kept.

    Attributes:
        models: number of newest versions kept at the push destination; a rollback returns to the second newest. As many
            of the newest trainings keep their model as it was trained, however often its effects were updated.
        runs: number of newest runs of the local runner whose artifacts are kept on disk.

    Example:
        >>> a_month = Retention(models=30, runs=30)
    """

    models: Annotated[Whole, Field(ge=2, le=10_000)] = 10
    runs: Annotated[Whole, Field(gt=0, le=10_000)] = 7
