"""Training on more than one machine, as part of a config: the forest on Dask, the towers by TensorFlow's strategies."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PositiveInt
from pydantic.dataclasses import dataclass

_CHECKED = ConfigDict(extra="forbid")

Strategy = Literal["one_device", "mirrored", "multi_worker"]


@dataclass(frozen=True, config=_CHECKED)
class Dask:
    """Workers that grow one forest together, each on its share of the rows.

    Attributes:
        workers: how many; each needs one row in each of training and validation at the least, and is worth it from
            hundreds of thousands.
        scheduler: a Dask cluster that runs this project's image and sees the artifacts; None starts that many processes
            on this machine.
    """

    workers: PositiveInt = 2
    scheduler: Annotated[str, Field(pattern=r"^(tcp|tls|ucx|ws|wss)://[^\s/]+$")] | None = None
