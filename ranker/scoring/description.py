"""What a model's manifest tells about its columns and objectives."""

import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from ranker.config.columns import Features, Keys
from ranker.config.documents import from_json
from ranker.config.effects import Effects
from ranker.config.objectives import Objective
from ranker.config.rows import Rows
from ranker.config.timestamps import Timestamps
from ranker.config.utility import Utility
from ranker.features.keys_and_labels import OptionalIdKind
from ranker.features.log_column import LogColumn
from ranker.features.registry import exposure_kinds, feature_kinds
from ranker.registry.manifest import Manifest

T = TypeVar("T")


class ModelError(ValueError):
    """A folder holds no model that can be used; the message says why."""


@dataclass(frozen=True)
class Description:
    """A model's columns and objectives.

    Attributes:
        manifest: of the model.
        objectives: in the order of the config.
        features: the columns that it reads.
        keys: the columns that identify an impression.
        utility: the trade-off of a ranking that names none.
        ids: id columns of the model's random effects, if it has any.
        rows: which rows it was trained on.
        timestamps: which timestamps the rows of a day may have.
    """

    manifest: Manifest
    objectives: tuple[Objective, ...]
    features: Features
    keys: Keys
    utility: Utility
    ids: tuple[str, ...] = ()
    rows: Rows = field(default_factory=Rows)
    timestamps: Timestamps = field(default_factory=Timestamps)

    @staticmethod
    def of(manifest: Manifest, where: str) -> "Description":
        """Reads the manifest.

        Args:
            manifest: of a model.
            where: the model's folder, for the message.

        Raises:
            ModelError: the manifest lacks objectives or features, or they are of another version of this project.
        """
        objectives = _part(tuple[Objective, ...], "objectives", manifest, where)
        features = _part(Features, "features", manifest, where)
        if objectives is None or features is None:
            raise ModelError(f"{where}: its manifest names no objectives and features; train the model again")
        effects = _part(Effects, "effects", manifest, where)
        return Description(
            manifest,
            objectives,
            features,
            # A manifest of an earlier version of this project has no keys, and no timestamps.
            _part(Keys, "keys", manifest, where) or Keys(),
            _part(Utility, "utility", manifest, where) or Utility(),
            effects.columns if effects else (),
            _part(Rows, "rows", manifest, where) or Rows(),
            _part(Timestamps, "timestamps", manifest, where) or Timestamps(),
        )

    @property
    def objective_names(self) -> tuple[str, ...]:
        """The objectives' names, in the order of the config."""
        return tuple(objective.name for objective in self.objectives)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The columns that identify an impression."""
        return tuple(dict.fromkeys(self.keys.columns))

    @property
    def feature_columns(self) -> tuple[LogColumn, ...]:
        """The columns that every row needs."""
        return tuple(
            kind.log_column for _, kind in feature_kinds(self.features) if not kind.computed and not kind.is_key
        )

    @property
    def optional_columns(self) -> tuple[LogColumn, ...]:
        """The columns that are read where a table has them: histories, exposure, and ids of all uses."""
        ids = dict.fromkeys((*self.features.history_keys, *self.ids))
        return (
            *(kind.log_column for _, kind in feature_kinds(self.features) if kind.computed),
            *(kind.log_column for _, kind in exposure_kinds(self.features)),
            *(kind.log_column for _, kind in feature_kinds(self.features) if kind.is_key),
            *(LogColumn(name, OptionalIdKind.name) for name in ids if name not in self.features.id_names),
        )


def _part(kind: type[T], name: str, manifest: Manifest, where: str) -> T | None:
    values: Any = manifest.config.get(name)
    if values is None:
        return None
    try:
        return from_json(kind, json.dumps(values))
    except ValidationError as error:
        raise ModelError(
            f"{where}: the {name} in its manifest are of another version of this project: {error.errors()[0]['msg']}"
        ) from None
