"""How a day's training continues from the model pushed before it."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Count, Days, Real, Share, Weight, Whole

Start = Literal["cold", "warm", "incremental"]


@dataclass(frozen=True, config=CHECKED)
class Retraining:
    """How a day's model continues from the previously pushed one; `docs/retraining.md` explains the choices.

    Attributes:
        start: what a day starts from. `cold` fits Transform graph, forest and towers from scratch on the full window.
            `warm` continues from the pushed model's weights and forest; it trains on the days that this model has not
            seen and a few days before them. `incremental` does the same, with a pull towards the previous weights and
            those of the last cold start.
        refit_forest_days: age in days at which the forest is refitted, which makes that day a cold start.
        most_unseen_days: a warm start is possible up to this many days after the pushed model; a day whose model a gate
            blocked, or without a run, adds one.
        refresh_forest: update the leaf values of the pushed model's forest with the days that this model has not seen.
            The tree structure stays the same, and the towers learn from the forest as on a cold start. False leaves the
            forest unchanged, and the towers compensate for what it has missed.
        added_rounds: the largest number of trees per objective that a warm start adds to the pushed model's forest,
            grown on the unseen and the replayed days, where they lower the loss of held-out viewers. The forest never
            has more than `forest.trees`. 0 adds none, and so does `refresh_forest=False`.
        added_learning_rate_fraction: share of `forest.learning_rate` that added trees are grown with.
        replay_days: days before the unseen ones, within the day's `train_days`, that the towers train on again, and
            that added trees are grown on, so that they do not forget older days; days without a folder are skipped.
        train_leaf_embeddings: whether a later day trains the leaf embeddings, too. By default it trains all other
            weights, which makes a step cheaper; the embeddings of new leaves stay as they were drawn.
        learning_rate_fraction: share of `training.learning_rate` that is the peak rate of a warm start.
        fisher_strength: weight of the pull, LiRank's lambda.
        cold_share: share of the last cold start in the pull and in the starting weights, LiRank's alpha.
        fisher_rows: impressions that the Fisher information is averaged over.

    Example:
        >>> weekly_refit = Retraining(start="warm", refit_forest_days=7)
        >>> never_warm = Retraining(start="cold")
    """

    start: Start = "warm"
    refit_forest_days: Days = 7
    most_unseen_days: Days = 2
    refresh_forest: bool = True
    added_rounds: Annotated[Whole, Field(ge=0, le=100_000)] = 15
    added_learning_rate_fraction: Share = 1.0
    replay_days: Annotated[Whole, Field(ge=0, le=3_650)] = 2
    train_leaf_embeddings: bool = False
    learning_rate_fraction: Share = 0.3
    fisher_strength: Weight = 10.0
    cold_share: Annotated[Real, Field(ge=0.0, le=1.0)] = 0.1
    fisher_rows: Count = 20_000
