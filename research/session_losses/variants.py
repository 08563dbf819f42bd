"""The variants, and how each is trained on the same rows and forest."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ranker.config.pipeline import PipelineConfig
from research.quality.encoded import grown_forest
from research.quality.logged import DAY_NUMBER, logged_columns, training_days
from research.quality.models import ComparedModel
from research.quality.networks import blended, ours
from research.quality.rows import HeldOutDay, Probabilities
from research.session_losses.losses import joint, listwise, listwise_utility, pairwise
from research.session_losses.names import IMPRESSIONS, JOINT, LISTWISE, SESSIONS, UTILITY
from research.session_losses.training import Ranking, session_logits

_CODE = ("ranker.forest", "ranker.towers", "research.session_losses.variants")


def ranking_of(name: str, config: PipelineConfig) -> Ranking:
    """What a variant adds to the cross entropy. All but `IMPRESSIONS` are trained on batches of sessions.

    Args:
        name: one of `names.VARIANTS`, but `IMPRESSIONS`.
        config: gives the utility.

    Example:
        >>> from pipeline_config import FEED
        >>> ranking_of("JRC, 0.1", FEED).weight
        0.1
    """
    if name == SESSIONS:
        return Ranking()
    weight = float(name.rpartition(", ")[2])
    if name in UTILITY:
        return Ranking(listwise_utility(config.utility.coefficients(config.objectives)), weight)
    if name in JOINT:
        return Ranking(joint, weight, paired=True)
    return Ranking(listwise if name in LISTWISE else pairwise, weight)


@dataclass(frozen=True)
class VariantModel:
    """Trains a variant on batches of sessions, as a model of `research.quality`.

    Attributes:
        name: one of `names.VARIANTS`, but `IMPRESSIONS`.
        log: the feed log, which names the sessions.
        session: the column of what is a session.
    """

    name: str
    log: Path
    session: str

    def __call__(self, day: HeldOutDay, seed: int) -> Probabilities:
        """The probabilities of the held-out rows [rows, objectives]."""
        config = day.config
        forest, leaves = grown_forest(day, config.forest, seed)
        sessions = sessions_of_training(day, self.log, self.session)
        logits = session_logits(day, sessions, config, ranking_of(self.name, config), forest, leaves, seed)
        return blended(logits, forest, leaves[1], config.towers.forest_share)


def compared_models(names: tuple[str, ...], log: Path, session: str) -> dict[str, ComparedModel]:
    """The variants as models of `research.quality.study.predictions_of`."""

    def reads(config: PipelineConfig) -> tuple[object, ...]:
        return config.features, config.forest, config.towers, config.training, config.utility, session

    def predict(name: str) -> Callable[..., Probabilities]:
        return ours if name == IMPRESSIONS else VariantModel(name, log, session)

    return {name: ComparedModel(predict(name), _CODE, reads) for name in names}


def sessions_of_training(day: HeldOutDay, log: Path, session: str) -> NDArray[np.int32]:
    """A code of each training row's session; a session of another day has another code."""
    columns = logged_columns(log, training_days(log, day), day, day.train, [session])
    frame = pd.DataFrame({"day": columns[DAY_NUMBER].to_numpy(), "session": columns[session].to_pandas()})
    return frame.groupby(["day", "session"], dropna=False, sort=False).ngroup().to_numpy().astype(np.int32)
