"""What a version of a pushed model says of itself: `assets.extra/feed_ranker.json` beside the SavedModel."""

import json
from typing import Any, Self

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ranker.config.retraining import Start
from ranker.identity.training import TrainingIdentity

_FORMAT = 2


class ManifestError(ValueError):
    """A file is no manifest of this project; the message says why."""


@dataclass(frozen=True)
class Lineage:
    """What a training started from, and what a later one may continue from.

    Attributes:
        start: how it started.
        parent: the version that it continued from, or "".
        forest_day: the day held out when its forest was grown.
        fisher: whether it carries Fisher information.
        parts: digests of the config and code that must not change under a warm start, by name.
    """

    start: Start
    parent: str
    forest_day: str
    fisher: bool
    parts: dict[str, str]


@dataclass(frozen=True)
class Republished:
    """The note of a rollback on the version that it publishes.

    Attributes:
        republishes: the version as which the model was pushed for the first time.
        instead_of: the version that served until then.
    """

    republishes: str
    instead_of: str


@dataclass(frozen=True)
class Manifest:
    """What a model was trained on and what it expects.

    A field that a manifest lacks, as one of an earlier version of this project may, has its default.

    Attributes:
        objectives: in the order of the config.
        trees: leaves per row in `score_leaves`.
        leaves: leaves of the forest; a leaf id lies in [0, leaves).
        forest_fingerprint: of the forest inside the graph; leaves of another one mean nothing to this model.
        training_fingerprint: of the training that fitted the model; `training.fingerprint`.
        eval_day: YYYY-MM-DD, the day held out; the newest training day is the one before.
        rows: impressions trained on.
        input_names: column → input name in `score_features` and `rank`.
        config: the config parts that shaped the model, each as JSON values.
        training: what the fingerprint is made of.
        lineage: what the training started from.
        rollback: set where a rollback published the model again.
    """

    objectives: list[str] = Field(default_factory=list)
    trees: int = 0
    leaves: int = 0
    forest_fingerprint: str = ""
    training_fingerprint: str = ""
    eval_day: str = ""
    rows: int = 0
    input_names: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    training: TrainingIdentity | None = None
    lineage: Lineage | None = None
    rollback: Republished | None = None

    def to_json(self) -> str:
        """One JSON object with the format's number; parts that are not there are left out."""
        content = TypeAdapter(Manifest).dump_python(self, mode="json", exclude_none=True)
        return json.dumps({"format": _FORMAT, **content}, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """What `to_json` gave, or an earlier version of this project wrote.

        Raises:
            ManifestError: it is something else.
        """
        try:
            return TypeAdapter(cls).validate_python(json.loads(text))
        except ValidationError as error:
            first = error.errors()[0]
            raise ManifestError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        except ValueError as error:
            raise ManifestError(f"not JSON: {error}") from None
