"""The complete config of a pipeline as one object."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.columns import Features, Keys
from ranker.config.effects import Effects
from ranker.config.examination import Examination
from ranker.config.exploration import Exploration
from ranker.config.fields import CHECKED, IN_ORDER, ColumnName, Days, Ordered
from ranker.config.forest import Forest
from ranker.config.gates import Gates
from ranker.config.kubeflow import MAX_PIPELINE_NAME, Kubeflow
from ranker.config.monitoring import Monitoring
from ranker.config.named import Named
from ranker.config.names import (
    RESERVED_FOR_OBJECTIVES,
    check_distinct,
    check_names,
    check_reserved,
    input_names,
)
from ranker.config.objectives import Objective
from ranker.config.retention import Retention
from ranker.config.retraining import Retraining
from ranker.config.rows import Rows
from ranker.config.serving import Serving
from ranker.config.timestamps import Timestamps
from ranker.config.towers import Towers
from ranker.config.tradeoff import TradeOff
from ranker.config.training import Training
from ranker.config.utility import Utility
from ranker.config.validation import Validation


@dataclass(frozen=True, config=CHECKED)
class PipelineConfig(Named):
    """The complete config of a pipeline. `pipeline_config.py` holds the instances.

    Attributes:
        name: name of the pipeline, its metadata and its pushed model; at most 22 characters, because pods on Kubeflow
            are named after it.
        objectives: at least one; a tower without objectives is left out of the network.
        features: the columns known before a session is ranked, and the exposure columns known after it.
        schema: the curated TFMD schema, a path relative to the project's root.
        slices: slices of the metrics, in addition to all impressions. Each entry names one categorical feature, or
            several for their cross.
        train_days: number of days before the evaluation day that the model is trained on.
        keys: the columns that identify an impression.
        exploration: the columns that say which impressions stood at random positions, if the log has them.
        examination: the exposure model, with which probabilities are examination × relevance; None, the default, scores
            without one.
        effects: random effects of viewers, authors and items; None, the default, has none.
        utility: the trade-off between objectives that models are judged by; a request may name another one.
        tradeoff: the goal and the guardrails by which the trade-off is tuned in an experiment; None, the default, tunes
            nothing.
        forest: the XGBoost forest that encodes features as leaves.
        towers: the shape of the two-tower network.
        training: how the towers are trained.
        retraining: what a day's training continues from, and when it starts cold.
        serving: how the model is exported.
        retention: how many models and runs are kept.
        validation: limits on the held-out day's data beside the schema.
        gates: limits on a model's metrics, without which it is not published.
        monitoring: when the monitor raises an alarm.
        timestamps: which timestamps the rows of a day's folder may have.
        rows: which rows of the log are read, and how much each counts in training; all of them, and all alike, by
            default.
        beam_pipeline_args: arguments for every Beam component, such as another runner; they are added to the defaults
            of `pipeline.beam`.
        shared_paths: workers on other machines see this machine's local folders (artifacts, feed log, models) under the
            same paths, as with a network volume. Otherwise the local runner refuses a runner on a cluster.
        kubeflow: how the pipeline runs on a Kubeflow cluster.

    Raises:
        ValueError: a value is out of bounds, or parts contradict each other; the message names config and field.

    Example:
        >>> from ranker.config.columns import Features
        >>> from ranker.config.objectives import Objective
        >>> PipelineConfig(
        ...     name="shop",
        ...     objectives=(Objective("order", tower="active"),),
        ...     features=Features(numeric=("price",)),
        ...     schema="schemas/shop.pbtxt",
        ... ).objective_names
        ('order',)
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=MAX_PIPELINE_NAME)]
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1), IN_ORDER]
    features: Features
    schema: Annotated[str, Field(min_length=1)]
    slices: Ordered[Ordered[ColumnName]] = ()
    train_days: Days = 7
    keys: Keys = Keys()
    timestamps: Timestamps = Timestamps()
    rows: Rows = Rows()
    exploration: Exploration | None = None
    forest: Forest = Forest()
    towers: Towers = Towers()
    examination: Examination | None = None
    effects: Effects | None = None
    training: Training = Training()
    retraining: Retraining = Retraining()
    utility: Utility = Utility()
    tradeoff: TradeOff | None = None
    serving: Serving = Serving()
    retention: Retention = Retention()
    validation: Validation = Validation()
    gates: Gates = Gates()
    monitoring: Monitoring = Monitoring()
    beam_pipeline_args: Ordered[str] = ()
    shared_paths: bool = False
    kubeflow: Kubeflow = Kubeflow()

    def __post_init__(self) -> None:
        try:
            self._check_names()
            self._check_forest()
            self._check_shares()
            self._check_days()
            self._check_slices()
            self._check_examination()
            self._check_tradeoff()
            self._check_effects()
            self._check_entities("features.ids", [column.source for column in self.features.ids])
            renamed = set(self.keys.columns) - {*self.example_keys.columns, *self.features.names}
            self.features.check_log(self.objective_names, self.example_keys, renamed)
        except ValueError as error:
            raise ValueError(f"config {self.name!r}: {error}") from None

    def _check_names(self) -> None:
        check_names("objectives", self.objective_names)
        columns = (*self.features.names, *self.features.exposure_names)
        # An id among the features may be a key itself.
        keys = tuple(name for name in self.example_keys.columns if name not in columns)
        explored = self.exploration.names if self.exploration else ()
        drawn = self.tradeoff.log_columns if self.tradeoff else ()
        parts = [
            "objectives",
            "features",
            "keys",
            *(["exploration"] if explored else []),
            *(["tradeoff"] if drawn else []),
            *(["effects"] if self.effects and self.id_columns else []),
            *(["features.history"] if self.features.history_keys else []),
        ]
        check_names(
            f"{', '.join(parts[:-1])} and {parts[-1]}",
            (*self.objective_names, *columns, *keys, *explored, *drawn, *self.id_columns),
        )
        check_reserved("objectives", self.objective_names, self.objective_names, RESERVED_FOR_OBJECTIVES)
        named = {
            **self.features.names_by_field,
            "keys": keys,
            "exploration": explored,
            "tradeoff": drawn,
            "effects.levels": self.effects.columns if self.effects else (),
            "features.history.of": self.features.history_keys,
        }
        for field, names in named.items():
            check_reserved(field, names, self.objective_names)
        self._check_sources()
        if unknown := sorted(set(self.gates.overrides) - set(self.objective_names)):
            raise ValueError(f"gates.overrides: {unknown} are not among the objectives {list(self.objective_names)}")
        if unknown := sorted(set(self.training.sampling.negatives) - set(self.objective_names)):
            raise ValueError(
                f"training.sampling.negatives: {unknown} are not among the objectives {list(self.objective_names)}"
            )

    def _check_sources(self) -> None:
        """Checks that no label is read as anything else, and no key in two roles but a viewer as the session."""
        check_distinct("keys", self.keys.columns[0 if self.keys.session != self.keys.viewer else 1 :])
        check_distinct("objectives: column", [objective.source for objective in self.objectives])
        labels = {objective.source for objective in self.objectives}
        read = {
            "features": [column.source for column in self.features.columns],
            "features.exposure": [one.read_as.source for one in self.features.exposure],
            "keys": self.keys.columns,
            "rows.weight": (self.rows.weight,) if self.rows.weight else (),
        }
        for field, sources in read.items():
            if both := sorted(labels.intersection(sources)):
                raise ValueError(
                    f"objectives, {field}: the columns {both} are read as both; an outcome is nothing else"
                )
        for role, named in zip(("session", "viewer", "item", "timestamp"), self.example_keys.columns, strict=True):
            column = getattr(self.keys, role)
            # A viewer that is the session too is in Examples by the session's name, which is the column's.
            if named == column or column in self.example_keys.columns:
                continue
            if self.effects is not None and column in self.effects.columns:
                raise ValueError(
                    f"effects.levels: {column!r} is a feature too, or no usable name; requests have both as inputs, so "
                    f"give the feature a name of its own: name=…, column={column!r}"
                )

    def _check_forest(self) -> None:
        inputs = (column for column in self.features.columns if not column.is_computed)
        if self.forest.trees and not any(column.forest_names for column in inputs):
            raise ValueError(
                "features: the forest needs at least one numeric, categorical or multi_valued column, or a dense "
                "embedding with forest=True; forest=Forest(trees=0) is without a forest"
            )

        if self.forest.target == "each" and 0 < self.forest.trees < len(self.objectives):
            raise ValueError(
                f"forest.trees: {self.forest.trees} are too few for {len(self.objectives)} objectives, which share "
                "them evenly; give each one tree or more, or set it to 0 for no forest"
            )

    def _check_shares(self) -> None:
        without = "with forest.trees 0 there is no forest" if not self.forest.trees else ""
        if self.forest.target == "any":
            without = without or 'with forest.target "any" it predicts no single objective'
        for field, share in (
            ("towers.forest_share", self.towers.forest_share),
            ("training.distillation", self.training.distillation),
        ):
            if share and without:
                raise ValueError(
                    f"{field}: {share} should come from the forest's predictions, but {without}; set it to 0"
                )
        features, towers = self.features, self.towers
        read = (
            features.vectors,
            features.numeric if towers.numeric_input else (),
            features.coded if towers.categorical_embedding_size else (),
        )
        if not self.forest.trees and not any(read):
            raise ValueError(
                "forest.trees: without a forest, the towers need numeric, categorical or dense features; "
                "towers.numeric_input and towers.categorical_embedding_size say whether they read them"
            )

    def _check_days(self) -> None:
        unseen = self.retraining.most_unseen_days
        if self.retraining.start != "cold" and unseen > self.train_days:
            raise ValueError(
                f"retraining.most_unseen_days: {unseen} is more than train_days; set it to {self.train_days} or less, "
                "because a warm start trains on every day that the pushed model has not seen, and the window holds no "
                "more than train_days"
            )

    def _check_slices(self) -> None:
        sliceable = {feature.name for feature in self.features.coded}
        by = self.towers.isotonic.by if self.towers.isotonic else None
        if by is not None and by not in sliceable:
            raise ValueError(f"towers.isotonic.by: {by!r} is not among the categorical features {sorted(sliceable)}")
        seen: set[frozenset[str]] = set()
        for columns in self.slices:
            if not columns:
                raise ValueError(
                    "slices: an entry is empty; each names one or more categorical features, and all impressions are "
                    "evaluated in any case"
                )
            if unknown := sorted(set(columns) - sliceable):
                raise ValueError(f"slices: {unknown} are not among the categorical features {sorted(sliceable)}")
            if len(set(columns)) < len(columns):
                raise ValueError(f"slices: {columns} names a column twice; name it once")
            if frozenset(columns) in seen:
                raise ValueError(f"slices: {columns} occurs twice; name each slice, or cross of columns, once")
            seen.add(frozenset(columns))

    def _check_examination(self) -> None:
        if self.examination is None:
            return
        if not self.features.exposure:
            raise ValueError("examination: it depends on exposure; name the columns in features.exposure")
        if self.exploration is None:
            raise ValueError(
                "examination: it is fitted on impressions at random positions; name the column that says which these "
                "are in exploration"
            )
        categorical = {feature.name for feature in self.features.coded}
        if unknown := sorted(set(self.examination.by) - categorical):
            raise ValueError(f"examination.by: {unknown} are not among the categorical features {sorted(categorical)}")
        if len(set(self.examination.by)) < len(self.examination.by):
            raise ValueError(f"examination.by: {self.examination.by} names a feature twice; name it once")

    def _check_tradeoff(self) -> None:
        if self.tradeoff is not None:
            self.tradeoff.check(self.objectives, self.utility, [feature.name for feature in self.features.coded])

    def _check_effects(self) -> None:
        if self.effects is None:
            return
        if self.examination is not None:
            raise ValueError("effects: they are fitted on probabilities without an examination model; set one to None")
        self._check_entities("effects.levels", self.effects.columns)
        input_names(dict.fromkeys((*self.features.names, *self.features.exposure_names, *self.effects.columns)))
        dense = set(self.features.embeddings)
        coded = {feature.name for feature in self.features.coded} if self.towers.categorical_embedding_size else set()
        for level in self.effects.levels:
            if unknown := sorted(set(level.inputs) - dense - coded):
                raise ValueError(
                    f"effects: {level.column}: inputs: {unknown} are not among the dense embeddings and categorical "
                    f"features that the towers read, {sorted(dense | coded)}"
                )

    def _check_entities(self, field: str, columns: Iterable[str]) -> None:
        """Sessions and times do not come back, so nothing can be learnt of single ones; a viewer may be the session."""
        passing = {self.keys.session, self.keys.timestamp} - {self.keys.viewer, self.keys.item}
        if wrong := sorted(passing.intersection(columns)):
            raise ValueError(f"{field}: {wrong} is no entity that comes back; name another id column")

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The id columns of random effects and histories that are neither keys nor in `features.ids`."""
        known = (*self.keys.columns, *self.example_keys.columns, *self.features.id_names)
        named = (*(self.effects.columns if self.effects else ()), *self.features.history_keys)
        return tuple(dict.fromkeys(name for name in named if name not in known))

    @property
    def names_scored(self) -> tuple[str, ...]:
        """What a model reads of an impression before it is shown: features, and the ids of random effects."""
        return tuple(dict.fromkeys((*self.features.names_read, *(self.effects.columns if self.effects else ()))))

    @property
    def days_read(self) -> int:
        """Days before the evaluation day whose impressions a model depends on: train days, and those of histories."""
        return self.train_days + self.features.history_days

    @property
    def example_keys(self) -> Keys:
        """The names of the keys in tf.Examples; see `Keys.in_examples`."""
        return self.keys.in_examples((*self.objective_names, *self.features.names_beside(self.keys)))

    @property
    def objective_names(self) -> tuple[str, ...]:
        """The objectives' names in the order of all label and logit vectors."""
        return tuple(o.name for o in self.objectives)
