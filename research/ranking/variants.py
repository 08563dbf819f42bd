"""The variants, and how each is trained on the same rows."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ranker.config.pipeline import PipelineConfig
from research.quality.encoded import grown_forest
from research.quality.logged import DAY_NUMBER, logged_columns, training_days
from research.quality.models import ComparedModel
from research.quality.networks import blended
from research.quality.rows import HeldOutDay, Probabilities
from research.quality.towers import tower_logits
from research.ranking.names import BASE, CHOICES, FADING, JOINT, LISTWISE, LOSSES, SESSIONS, UTILITY
from research.ranking.session_losses import joint, listwise, listwise_utility, pairwise
from research.ranking.session_training import Ranking, session_logits
from research.studies.studies import STUDIES, unchanged

_CODE = ("ranker.forest", "ranker.towers", "research.ranking.variants")


def compared_models(names: tuple[str, ...], data: str, log: Path, session: str) -> dict[str, ComparedModel]:
    """The variants as models of `research.quality.study.predictions_of`.

    Args:
        names: of `BASE`, or of any variant of `names.PARTS`.
        data: name of the data set, for the variants of `research.studies`.
        log: the feed log, which names the sessions.
        session: the column of what is a session in a loss.
    """

    def reads(config: PipelineConfig) -> tuple[object, ...]:
        return config.features, config.forest, config.towers, config.training, config.utility, session

    return {
        name: ComparedModel(
            SessionModel(name, log, session) if name in LOSSES else ConfigModel(name, data), _CODE, reads
        )
        for name in names
    }


@dataclass(frozen=True)
class ConfigModel:
    """Trains a variant of the config.

    Attributes:
        name: `BASE`, or one of `names.CHOICES`, `names.FORESTS` and `names.FADING`.
        data: name of the data set.
    """

    name: str
    data: str

    def __call__(self, day: HeldOutDay, seed: int) -> Probabilities:
        """The probabilities of the held-out rows [rows, objectives]."""
        config = changed(day.config, self.name, self.data)
        forest, leaves = grown_forest(day, config.forest, seed)
        logits = tower_logits(day, config.towers, config.training, config.objectives, forest, leaves, seed)
        return blended(logits, forest, leaves[1], config.towers.forest_share)


def changed(config: PipelineConfig, name: str, data: str) -> PipelineConfig:
    """The config with one choice changed; `names.CHOICES` and `names.FORESTS` are those of `research.studies`.

    Args:
        config: as it is.
        name: see `ConfigModel`.
        data: see `ConfigModel`.

    Raises:
        ValueError: distillation is to fade faster, and the config's does not fade.

    Example:
        >>> from pipeline_config import FEED
        >>> changed(FEED, "no ensemble", "feed").towers.members
        1
    """
    if name == BASE:
        return config
    if name in FADING:
        half = config.training.distillation_half_positives
        if half is None:
            raise ValueError("training.distillation_half_positives: None does not fade; expected a number of positives")
        return replace(config, training=replace(config.training, distillation_half_positives=half // FADING[name]))
    study = STUDIES["choices" if name in CHOICES else "forest"]
    [variant] = [variant for variant in study.variants(data) if variant.name == name]
    grown = variant.forest(config)
    return grown if variant.change is unchanged else variant.change(grown)


@dataclass(frozen=True)
class SessionModel:
    """Trains the config on batches of sessions, with a loss of sessions.

    Attributes:
        name: one of `names.LOSSES`.
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


def ranking_of(name: str, config: PipelineConfig) -> Ranking:
    """What a variant adds to the cross entropy.

    Args:
        name: one of `names.LOSSES`.
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


def sessions_of_training(day: HeldOutDay, log: Path, session: str) -> NDArray[np.int32]:
    """A code of each training row's session; a session of another day has another code."""
    columns = logged_columns(log, training_days(log, day), day, day.train, [session])
    frame = pd.DataFrame({"day": columns[DAY_NUMBER].to_numpy(), "session": columns[session].to_pandas()})
    return frame.groupby(["day", "session"], dropna=False, sort=False).ngroup().to_numpy().astype(np.int32)
