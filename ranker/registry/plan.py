"""What one training starts from, as TrainingStart writes it for the components after it."""

from pydantic.dataclasses import dataclass

from ranker.config.retraining import Start
from ranker.documents import read_json, write_json
from ranker.files import write_text
from ranker.storage import join, read_bytes

PLAN_FILE = "plan.json"
STATE_FOLDER = "state"


@dataclass(frozen=True)
class StartPlan:
    """What one training starts from.

    Attributes:
        start: `cold`, `warm` or `incremental`.
        reason: why, as text.
        parent: the version that it continues from; "" for a cold start.
        train_days: number of newest days to train on, which the parent has not seen; None for the full window.
        forest_day: the held-out day of the training that grew the parent's forest; "" for a cold start.
        refresh_forest: whether the parent's forest is refreshed with the rows of `train_days`.
        replay_days: number of days before `train_days` that the towers train on again.
        parent_training: fingerprint of the parent's training; unlike the version, it does not change in a rollback.
        parent_days: every day that the parent was trained on, YYYY-MM-DD; empty for a cold start or if unknown.
        added_rounds: the largest number of trees per objective to add to the refreshed forest.
        added_learning_rate_fraction: share of the forest's learning rate for those.
    """

    start: Start
    reason: str
    parent: str = ""
    train_days: int | None = None
    forest_day: str = ""
    refresh_forest: bool = False
    replay_days: int = 0
    parent_training: str = ""
    parent_days: tuple[str, ...] = ()
    added_rounds: int = 0
    added_learning_rate_fraction: float = 1.0

    @property
    def is_cold(self) -> bool:
        """Whether Transform graph, forest and towers are all fitted from scratch."""
        return self.start == "cold"


def write_plan(folder: str, plan: StartPlan) -> None:
    """Writes the plan into a folder, a path or URI, atomically."""
    write_text(join(folder, PLAN_FILE), write_json(plan))


def read_plan(folder: str) -> StartPlan:
    """Reads what `write_plan` wrote; raises DocumentError where the file is damaged."""
    file = join(folder, PLAN_FILE)
    return read_json(StartPlan, read_bytes(file).decode("utf-8", "replace"), file)
