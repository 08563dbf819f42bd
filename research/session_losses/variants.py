"""The variants, and how each is trained on the same rows and forest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ranker.config.pipeline import PipelineConfig
from research.quality.encoded import grown_forest
from research.quality.logged import DAY_NUMBER, logged_columns, training_days
from research.quality.models import ComparedModel
from research.quality.networks import blended, ours
from research.quality.rows import HeldOutDay, Probabilities
from research.session_losses.losses import joint, listwise, pairwise
from research.session_losses.names import IMPRESSIONS, JOINT, LISTWISE, PAIRWISE, SESSIONS
from research.session_losses.training import Ranking, session_logits

_CODE = ("ranker.forest", "ranker.towers", "research.session_losses.variants")


def _weight(name: str) -> float:
    return float(name.split(", ")[1])


def _rankings() -> dict[str, Ranking]:
    return {
        SESSIONS: Ranking(),
        **{name: Ranking(listwise, _weight(name)) for name in LISTWISE},
        **{name: Ranking(pairwise, _weight(name)) for name in PAIRWISE},
        **{name: Ranking(joint, _weight(name), paired=True) for name in JOINT},
    }


RANKINGS: Mapping[str, Ranking] = MappingProxyType(_rankings())
"""Name of a variant → what it adds to the cross entropy. All are trained on batches of sessions."""


@dataclass(frozen=True)
class VariantModel:
    """Trains a variant on batches of sessions, as a model of `research.quality`.

    Attributes:
        ranking: what is added to the cross entropy.
        log: the feed log, which names the sessions.
        session: the column of what is a session.
    """

    ranking: Ranking
    log: Path
    session: str

    def __call__(self, day: HeldOutDay, seed: int) -> Probabilities:
        """The probabilities of the held-out rows [rows, objectives]."""
        config = day.config
        forest, leaves = grown_forest(day, config.forest, seed)
        sessions = sessions_of_training(day, self.log, self.session)
        logits = session_logits(day, sessions, config, self.ranking, forest, leaves, seed)
        return blended(logits, forest, leaves[1], config.towers.forest_share)


def compared_models(names: tuple[str, ...], log: Path, session: str) -> dict[str, ComparedModel]:
    """The variants as models of `research.quality.study.predictions_of`."""

    def reads(config: PipelineConfig) -> tuple[object, ...]:
        return config.features, config.forest, config.towers, config.training, session

    def predict(name: str) -> Callable[..., Probabilities]:
        return ours if name == IMPRESSIONS else VariantModel(RANKINGS[name], log, session)

    return {name: ComparedModel(predict(name), _CODE, partial(reads)) for name in names}


def sessions_of_training(day: HeldOutDay, log: Path, session: str) -> NDArray[np.int32]:
    """A code of each training row's session; a session of another day has another code."""
    columns = logged_columns(log, training_days(log, day), day, day.train, [session])
    frame = pd.DataFrame({"day": columns[DAY_NUMBER].to_numpy(), "session": columns[session].to_pandas()})
    return frame.groupby(["day", "session"], dropna=False, sort=False).ngroup().to_numpy().astype(np.int32)
