"""The manifest of a pushed model's version: `assets.extra/feed_ranker.json` in the SavedModel's folder."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from ranker.config.retraining import Start
from ranker.documents import DocumentError, format_of, read_json
from ranker.identity.training import TrainingIdentity

_FORMAT = 2


@dataclass(frozen=True)
class Lineage:
    """What a training started from, and what a later one may continue from.

    Attributes:
        start: `cold`, `warm` or `incremental`.
        parent: the version that it continued from; "" for a cold start.
        forest_day: the held-out day of the training that grew the forest.
        fisher: whether its state has Fisher information.
        parts: name → digest of the config and code that a warm start requires to be unchanged.
    """

    start: Start
    parent: str
    forest_day: str
    fisher: bool
    parts: dict[str, str]


@dataclass(frozen=True)
class FittedEffects:
    """What the random effects of a model were fitted on.

    Attributes:
        settings: fingerprint of the settings that their coefficients depend on.
        through: milliseconds since 1970; all impressions before were fitted on, if they could be.
        days: YYYY-MM-DD, oldest first: every day of which impressions were fitted on.
        rows: impressions of this fit.
        entities: id column → number of entities with an effect.
        prior: the version whose effects this fit continued; "" if none.
        update: identifies an update of the effects of a pushed model, by everything that it follows from; "" where the
            effects were fitted with the model.
    """

    settings: str
    through: int
    days: list[str]
    rows: int
    entities: dict[str, int]
    prior: str = ""
    update: str = ""


@dataclass(frozen=True)
class Republished:
    """Written by a rollback into the manifest of the version that it publishes.

    Attributes:
        republishes: the version under which the model was first pushed.
        instead_of: the version that was serving before.
    """

    republishes: str
    instead_of: str


@dataclass(frozen=True)
class Manifest:
    """What a model was trained on and what inputs it expects.

    A field that is missing, as in a manifest of an earlier version of this project, has its default.

    Attributes:
        objectives: in the order of the config.
        trees: leaves per row in `score_leaves`.
        leaves: leaves of the forest; a leaf id lies in [0, leaves).
        forest_fingerprint: of the forest in the graph; the model cannot interpret leaves of another forest.
        training_fingerprint: of the training that fitted the model; `training.fingerprint`.
        eval_day: YYYY-MM-DD, the held-out day; the newest training day is the day before.
        trained_days: YYYY-MM-DD, oldest first: every day that this training or one that it continued from trained on;
            empty if unknown.
        rows: impressions trained on.
        base_rates: share of positives among them, by objective; one without an observed label is missing.
            Empty if unknown.
        input_names: column → input name in `score_features` and `rank`.
        config_name: the name of the config; "" if unknown.
        config: the config parts that shaped the model, each as JSON values.
        training: what the training fingerprint is computed from.
        lineage: what the training started from.
        effects: set if random effects were fitted.
        rollback: set if a rollback published the model again.
    """

    objectives: list[str] = Field(default_factory=list)
    trees: int = 0
    leaves: int = 0
    forest_fingerprint: str = ""
    training_fingerprint: str = ""
    eval_day: str = ""
    trained_days: list[str] = Field(default_factory=list)
    rows: int = 0
    base_rates: dict[str, float] = Field(default_factory=dict)
    input_names: dict[str, str] = Field(default_factory=dict)
    config_name: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    training: TrainingIdentity | None = None
    # An empty object is what the first format wrote where nothing was known.
    lineage: Annotated[Lineage | None, BeforeValidator(lambda value: value or None)] = None
    effects: FittedEffects | None = None
    rollback: Republished | None = None

    def may_be_of(self, config: str) -> bool:
        """Whether the model may be one of the config with this name; where the name is unknown, it may be of any."""
        return self.config_name in ("", config)

    def to_json(self) -> str:
        """One JSON object with the format's number; fields that are None are omitted."""
        content = TypeAdapter(Manifest).dump_python(self, mode="json", exclude_none=True)
        return json.dumps({"format": _FORMAT, **content}, indent=1)

    @staticmethod
    def from_json(text: str, name: str = "feed_ranker.json") -> "Manifest":
        """Reads what `to_json` returned, here or in an earlier version of this project.

        Args:
            text: the content of the file.
            name: its path, for the message.

        Raises:
            DocumentError: the text is something else, or of a newer version of this project.
        """
        found = format_of(text, name)
        if isinstance(found, int) and found > _FORMAT:
            raise DocumentError(f"{name}: format: it is {found}, and this version reads no newer one than {_FORMAT}")
        return read_json(Manifest, text, name)
