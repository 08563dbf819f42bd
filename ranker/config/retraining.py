"""How a day's training continues from the model pushed before it."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED

Start = Literal["cold", "warm", "incremental"]


@dataclass(frozen=True, config=CHECKED)
class Retraining:
    """How a day's model goes on from the one pushed before; `docs/retraining.md` explains the choices.

    Attributes:
        start: what a day starts from. `cold` fits Transform graph, forest and towers anew to the whole window; `warm`
            goes on from the pushed model's weights, on its forest, over the days that it has not seen and a few before
            them; `incremental` does the same while it is pulled towards the previous weights and those of the last
            cold start.
        refit_forest_days: age at which the forest is fitted anew, which makes that day a cold start.
        most_unseen_days: days that the pushed model may be behind for a warm start; a day that a gate held back, or
            on which nothing ran, adds one.
        refresh_forest: count the days that the pushed model has not seen into the values of its forest's leaves, whose
            trees stay as they are; the towers then learn from the forest as those of a cold start do. False leaves the
            forest as it was grown, and the towers make good what it has missed since.
        replay_days: days before those, and within `train_days` of the day, that the towers train on once more so that
            they do not learn the newest at the expense of the others; those without a folder are left out.
        learning_rate_fraction: share of `training.learning_rate` that a warm start climbs to.
        fisher_strength: weight of the pull, LiRank's lambda.
        cold_share: share of the pull that goes to the last cold start, and of the starting point; LiRank's alpha.
        fisher_rows: impressions that the Fisher information is averaged over.
    """

    start: Start = "warm"
    refit_forest_days: PositiveInt = 7
    most_unseen_days: PositiveInt = 2
    refresh_forest: bool = True
    replay_days: NonNegativeInt = 2
    learning_rate_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 0.3
    fisher_strength: Annotated[float, Field(ge=0.0)] = 10.0
    cold_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    fisher_rows: PositiveInt = 20_000
