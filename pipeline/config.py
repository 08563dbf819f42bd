"""The types behind pipeline_config.py: frozen, checked when constructed, and carried as JSON into component parameters.

A wrong value raises pydantic's ValidationError, which names the field, what it accepts and what it got. A part of the
config that a component needs travels as one JSON string (`to_json`) and comes back with the same checks (`from_json`).
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, FiniteFloat, NonNegativeInt, PositiveFloat, PositiveInt, TypeAdapter
from pydantic.dataclasses import dataclass

from pipeline.beam import beam_args
from pipeline.distribution import Dask, Strategy
from pipeline.kubeflow.settings import Kubeflow

_CHECKED = ConfigDict(extra="forbid")

ColumnName = Annotated[str, Field(min_length=1)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Tower = Literal["passive", "active"]
UtilityGroup = Literal["passive", "active", "other"]
Start = Literal["cold", "warm", "incremental"]
LeafTable = Literal["float32", "int8", "folded"]

TOWERS: tuple[Tower, ...] = ("passive", "active")


@dataclass(frozen=True, config=_CHECKED)
class Objective:
    """One yes/no outcome of an impression.

    Attributes:
        name: the column of the feed log that holds it as 0/1, and the key of its probability in every signature.
        tower: the tower whose layers predict it.
        utility_group: the term of the ranking score that it counts in; the tower's own term by default.
        utility_weight: its weight within that term.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    tower: Tower
    utility_group: UtilityGroup | None = None
    utility_weight: Annotated[float, Field(ge=0.0)] = 1.0

    @property
    def group(self) -> UtilityGroup:
        """The utility group with the default filled in."""
        return self.utility_group or self.tower


@dataclass(frozen=True, config=_CHECKED)
class Keys:
    """The columns that say whose impression it was and when; never features."""

    session: ColumnName = "session_id"
    viewer: ColumnName = "viewer_id"
    item: ColumnName = "item_id"
    timestamp: ColumnName = "timestamp"


@dataclass(frozen=True, config=_CHECKED)
class Categorical:
    """A column with one string or integer per impression; the forest sees its rank by frequency.

    Attributes:
        vocabulary_size: values kept, most frequent first; the others share one code.
    """

    name: ColumnName
    vocabulary_size: PositiveInt = 1000

    @property
    def missing_code(self) -> int:
        """What stands for a missing value where numbers are needed: one more than any rank can be."""
        return self.vocabulary_size + 1


@dataclass(frozen=True, config=_CHECKED)
class MultiValued:
    """A column with a list of strings or integers per impression; the forest sees one 0/1 column per value kept.

    Attributes:
        vocabulary_size: values kept, most frequent first; each is one forest feature, so keep it small.
    """

    name: ColumnName
    vocabulary_size: Annotated[int, Field(ge=1, le=1024)] = 32


@dataclass(frozen=True, config=_CHECKED)
class DenseEmbedding:
    """A column with a fixed-size float vector per impression (text, image, …); it goes to the towers directly."""

    name: ColumnName
    size: PositiveInt


@dataclass(frozen=True, config=_CHECKED)
class Features:
    """The columns that are known before an impression is shown."""

    numeric: tuple[ColumnName, ...] = ()
    categorical: tuple[Categorical, ...] = ()
    multi_valued: tuple[MultiValued, ...] = ()
    dense: tuple[DenseEmbedding, ...] = ()

    def __post_init__(self) -> None:
        _unique("features", self.names)
        if not (self.numeric or self.categorical or self.multi_valued):
            raise ValueError("features: the forest needs at least one numeric, categorical or multi_valued column")

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The forest's inputs, in order: a multi-valued column stands for its length and one input per value kept."""
        multi_valued = tuple(
            f"{f.name}.{part}" for f in self.multi_valued for part in ("count", *range(f.vocabulary_size))
        )
        return (*self.numeric, *(f.name for f in self.categorical), *multi_valued)

    @property
    def names(self) -> tuple[str, ...]:
        """Every feature column, in the order numeric, categorical, multi-valued, dense."""
        return (
            *self.numeric,
            *(f.name for f in self.categorical),
            *(f.name for f in self.multi_valued),
            *(f.name for f in self.dense),
        )


@dataclass(frozen=True, config=_CHECKED)
class Forest:
    """The XGBoost forest that encodes the features as leaves.

    Attributes:
        target: `any` fits one superset objective (any engagement), as in the source; `each` fits one tree per
            objective and round, so that the trees are shared out over the objectives.
        trees: most trees in the whole forest; with `each`, rounded down to a multiple of the number of objectives.
        depth: most splits between a root and a leaf.
        learning_rate: shrinkage of each tree.
        max_bin: histogram bins per feature.
        min_child_weight: least sum of hessians in a leaf.
        subsample: share of the rows that each tree sees.
        colsample: share of the features that each tree sees.
        early_stopping_rounds: rounds without a better validation loss after which an objective gets no more trees, and
            loses those since its best round; 0 keeps all trees.
        validation_fraction: share of the training viewers held out for that; the values of the leaves are of all rows.
        device: where XGBoost trains.
        dask: workers that grow the forest together; None grows it in one process.
        external_memory: keep the quantised matrix on disk, for logs that do not fit into memory.
        seed: seed of the row and column sampling.
    """

    target: Literal["any", "each"] = "each"
    trees: PositiveInt = 900
    depth: Annotated[int, Field(ge=1, le=12)] = 4
    learning_rate: PositiveFloat = 0.1
    max_bin: Annotated[int, Field(ge=2, le=65535)] = 256
    min_child_weight: Annotated[float, Field(ge=0.0)] = 5.0
    subsample: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    colsample: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    early_stopping_rounds: Annotated[int, Field(ge=0)] = 20
    validation_fraction: Fraction = 0.1
    device: Literal["cpu", "cuda"] = "cpu"
    dask: Dask | None = None
    external_memory: bool = False
    seed: int = 1


@dataclass(frozen=True, config=_CHECKED)
class Isotonic:
    """A monotone, piecewise linear function of each objective's logit; `docs/calibration.md` explains it.

    Attributes:
        buckets: pieces of equal width.
        low: the logit where the first one begins; below, it goes on.
        high: the logit where the last one ends; above, it goes on.
        by: a categorical feature whose values each have a function of their own; None has one function for all.
    """

    buckets: PositiveInt = 12
    low: FiniteFloat = -8.0
    high: FiniteFloat = 4.0
    by: ColumnName | None = None

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"isotonic: low must be below high, got {self.low} and {self.high}")


@dataclass(frozen=True, config=_CHECKED)
class Towers:
    """The shape of the two-tower network.

    Attributes:
        leaf_embedding_size: floats per leaf of the embedding table.
        hidden: units of each tower's layers, from the input up.
        dense_input: what happens to a dense embedding before it joins the leaf embeddings.
        dense_projection_size: units of the projection, where there is one.
        numeric_input: feed the normalised numeric features to the towers as well, beside the leaves.
        categorical_embedding_size: floats per value of each categorical feature, in an embedding of its own beside the
            leaves; 0 shows the towers categorical features by their leaves only, as in the source.
        cross_rank: rank of the layer that multiplies everything beside the leaves with each other (DCN v2, Wang et al.,
            2021), so that the towers see which viewers like which content embeddings; 0 leaves it out.
        dropout: share of each hidden layer's units dropped in training.
        shared: one tower for all objectives, the source's first attempt, instead of one per group.
        forest_share: what the forest's own prediction weighs in each objective's log-odds, beside the towers'. Both
            come from the same leaves and err in different ways, rare objectives most of all. 0, and nothing else with
            the forest target `any`, serves the towers alone, as the source does.
        isotonic: a calibration of the towers' logits that is learnt with them, as in LiRank; None leaves it out.
    """

    leaf_embedding_size: PositiveInt = 4
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (128, 64)
    dense_input: Literal["none", "batch_norm", "projection", "batch_norm_projection"] = "batch_norm_projection"
    dense_projection_size: PositiveInt = 16
    numeric_input: bool = True
    categorical_embedding_size: NonNegativeInt = 8
    cross_rank: NonNegativeInt = 32
    dropout: Fraction = 0.0
    shared: bool = False
    forest_share: Fraction = 0.3
    isotonic: Isotonic | None = None

    def calibrated_by(self, features: Features) -> Categorical | None:
        """The feature whose values each have a calibration of their own; None where there is none."""
        by = self.isotonic.by if self.isotonic else None
        return next((feature for feature in features.categorical if feature.name == by), None)


@dataclass(frozen=True, config=_CHECKED)
class Sampling:
    """Which negatives the towers are not trained on, and how that is made up for; by default they see everything.

    Attributes:
        impressions: share kept of the impressions without any engagement. The others are not read again after they
            were counted, so training takes that much less time.
        negatives: objective → share kept of its own negatives; its cross entropy leaves the others out. It saves no
            time, as the other objectives still learn from those impressions.
        correction: `weights` gives each negative that was kept the weight of those that it stands for; `shift` trains
            on log-odds raised by what leaving negatives out adds, which is exact for `negatives` and not for
            `impressions`; `none` leaves the bias in, to show what it does.
    """

    impressions: Share = 1.0
    negatives: dict[str, Share] = Field(default_factory=dict)
    correction: Literal["weights", "shift", "none"] = "weights"

    def __post_init__(self) -> None:
        if self.correction == "shift" and self.impressions < 1:
            raise ValueError(
                f"sampling.correction: shift is not exact where impressions are left out ({self.impressions} of them "
                "are kept): what that adds to an objective's log-odds depends on the other objectives; use weights"
            )

    @property
    def is_on(self) -> bool:
        """Whether anything is left out."""
        return self.impressions < 1 or any(share < 1 for share in self.negatives.values())


@dataclass(frozen=True, config=_CHECKED)
class Training:
    """How the towers are fitted.

    Attributes:
        epochs: passes over the training days.
        batch_size: impressions per step.
        optimizer: the Keras optimizer.
        learning_rate: the rate at the end of the warm-up; Adagrad wants about ten times Adam's.
        warmup_fraction: share of all steps over which the rate climbs from zero.
        final_learning_rate_fraction: what a cosine decay leaves of the rate at the last step.
        weight_decay: decoupled decay, for `adamw`.
        gradient_clip_norm: largest global norm of a step's gradient; None never clips.
        distillation: what the forest's own prediction weighs in each label that the towers learn from, beside what
            happened, for an objective without positives. It keeps the towers from learning the few positives of a rare
            objective by heart. 0, and nothing else with the forest target `any`, trains on the labels alone, as the
            source does.
        distillation_half_positives: training positives of an objective for which it weighs half of that; many
            positives need no teacher. None lets it weigh the same for all objectives.
        sampling: negatives that are left out; none by default.
        shuffle_buffer: impressions that are shuffled together, block by block.
        strategy: the devices that train together: one, all GPUs of this machine (`mirrored`), or those of the workers
            that TF_CONFIG names (`multi_worker`). A batch is shared out over them, so larger ones pay.
        seed: seed of initialisation, dropout and shuffling.
    """

    epochs: PositiveInt = 1
    batch_size: PositiveInt = 512
    optimizer: Literal["adam", "adamw", "adagrad"] = "adam"
    learning_rate: PositiveFloat = 2e-3
    warmup_fraction: Fraction = 0.1
    final_learning_rate_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    gradient_clip_norm: PositiveFloat | None = 10.0
    distillation: Fraction = 0.7
    distillation_half_positives: PositiveInt | None = 20_000
    sampling: Sampling = Sampling()
    shuffle_buffer: PositiveInt = 20_000
    strategy: Strategy = "one_device"
    seed: int = 1


@dataclass(frozen=True, config=_CHECKED)
class Serving:
    """The form in which the model is exported; `docs/serving.md` has what each choice costs.

    Attributes:
        max_rows: candidates that a request may hold; more are refused.
        leaf_table: how the leaf embeddings are kept. `float32` keeps them as trained; `int8` keeps each leaf's vector
            as bytes with a range, in half of the memory or less; `folded` multiplies each by its rows of the first
            layer, so that a sum takes the place of a matrix product.
        xla: export `score_features_xla` and `rank_xla` too, compiled at the first request of each padded size; the
            server must have XLA linked in.
    """

    max_rows: PositiveInt = 8192
    leaf_table: LeafTable = "float32"
    xla: bool = False


@dataclass(frozen=True, config=_CHECKED)
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


@dataclass(frozen=True, config=_CHECKED)
class Retention:
    """What is kept of the past.

    Attributes:
        models: newest versions at the push destination; the second is what a rollback returns to.
        runs: newest runs of the local runner whose artifacts stay on disk.
    """

    models: Annotated[int, Field(ge=2)] = 10
    runs: PositiveInt = 7


@dataclass(frozen=True, config=_CHECKED)
class Gate:
    """Limits on one objective's metrics; None leaves a limit out.

    Attributes:
        min_auc: the least AUC.
        o_over_e: the range that observed over expected must lie in.
        max_auc_drop: the largest drop in AUC against the model now serving.
        max_calibration_worsening: the largest growth of |log O/E| against the model now serving.
    """

    min_auc: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    o_over_e: tuple[PositiveFloat, PositiveFloat] | None = None
    max_auc_drop: Annotated[float, Field(ge=0.0)] | None = None
    max_calibration_worsening: Annotated[float, Field(ge=0.0)] | None = None

    def __post_init__(self) -> None:
        if self.o_over_e is not None and self.o_over_e[0] > self.o_over_e[1]:
            raise ValueError(f"o_over_e: the lower limit comes first, got {self.o_over_e}")


@dataclass(frozen=True, config=_CHECKED)
class Gates:
    """What a candidate must hold to before it is blessed.

    A gate fires when the whole confidence interval of the metric lies beyond the limit, so that noise on a rare
    objective does not block a good model.

    Attributes:
        objective: the gate of every objective, over all impressions.
        overrides: objectives with a gate of their own.
        slice: the gate of every objective on every slice; None gates no slice.
        slice_min_positives: positives below which a slice informs but does not block.
        confidence: level of the intervals.
    """

    objective: Gate = Gate(min_auc=0.55, o_over_e=(0.8, 1.25), max_auc_drop=0.01, max_calibration_worsening=0.1)
    overrides: dict[str, Gate] = Field(default_factory=dict)
    slice: Gate | None = Gate(o_over_e=(0.5, 2.0), max_auc_drop=0.05)
    slice_min_positives: PositiveInt = 100
    confidence: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.95

    def of(self, objective: str) -> Gate:
        """The gate of one objective over all impressions."""
        return self.overrides.get(objective, self.objective)


@dataclass(frozen=True, config=_CHECKED)
class Monitoring:
    """When the health of a day raises an alarm; `docs/monitoring.md` explains the choices.

    Attributes:
        o_over_e: the range that O/E must lie in over all impressions.
        slice_o_over_e: the same on every slice; None judges no slice.
        false_alarm_rate: chance that a day raises an alarm of O/E though every true O/E is in its range. It is shared
            out over all objectives and slices, so that more of them make each interval wider and not alarms frequent.
        min_outcomes: outcomes observed or expected, whichever are more, below which an objective on a slice is not
            judged.
        drift: Jensen–Shannon divergence from the training window, in bits, up to which a feature is always in order.
        drift_factor: a feature may lie this many times as far from the training window as its farthest training day.
        missing: change of a feature's share of missing values that is always in order.
        score_drift: Jensen–Shannon divergence, in bits, of a day's scores from those on the day the model was
            evaluated, beyond what so many impressions differ by chance.
    """

    o_over_e: tuple[PositiveFloat, PositiveFloat] = (0.8, 1.25)
    slice_o_over_e: tuple[PositiveFloat, PositiveFloat] | None = (0.67, 1.5)
    false_alarm_rate: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.01
    min_outcomes: PositiveInt = 10
    drift: PositiveFloat = 0.05
    drift_factor: Annotated[float, Field(ge=1.0)] = 3.0
    missing: PositiveFloat = 0.05
    score_drift: PositiveFloat = 0.05

    def __post_init__(self) -> None:
        for field, limit in (("o_over_e", self.o_over_e), ("slice_o_over_e", self.slice_o_over_e)):
            if limit is not None and limit[0] > limit[1]:
                raise ValueError(f"{field}: the lower limit comes first, got {limit}")


@dataclass(frozen=True, config=_CHECKED)
class PipelineConfig:
    """Everything a user chooses. `pipeline_config.py` holds the instances.

    Attributes:
        name: names the pipeline, its metadata and its pushed model.
        objectives: at least one; a tower without objectives is left out of the network.
        features: the columns known before the impression.
        schema: the curated TFMD schema, a path relative to the project's root.
        slices: the groups of impressions that metrics are computed for besides all of them: each entry names one
            categorical feature, or several for their cross.
        train_days: days before the evaluated day that the model is trained on.
        keys: the columns that identify an impression.
        beam_pipeline_args: arguments for every Beam component, such as another runner; `pipeline.beam` has the others.
        kubeflow: what the pipeline asks of a Kubeflow cluster.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)]
    features: Features
    schema: str
    slices: tuple[tuple[ColumnName, ...], ...] = ()
    train_days: PositiveInt = 7
    keys: Keys = Keys()
    forest: Forest = Forest()
    towers: Towers = Towers()
    training: Training = Training()
    retraining: Retraining = Retraining()
    serving: Serving = Serving()
    retention: Retention = Retention()
    gates: Gates = Gates()
    monitoring: Monitoring = Monitoring()
    beam_pipeline_args: tuple[str, ...] = ()
    kubeflow: Kubeflow = Kubeflow()

    def __post_init__(self) -> None:
        _unique("objectives", self.objective_names)
        keys = (self.keys.session, self.keys.viewer, self.keys.item, self.keys.timestamp)
        _unique("objectives, features and keys", (*self.objective_names, *self.features.names, *keys))
        if unknown := sorted(set(self.gates.overrides) - set(self.objective_names)):
            raise ValueError(f"gates.overrides: {unknown} are not among the objectives {list(self.objective_names)}")
        if unknown := sorted(set(self.training.sampling.negatives) - set(self.objective_names)):
            raise ValueError(
                f"training.sampling.negatives: {unknown} are not among the objectives {list(self.objective_names)}"
            )
        if self.forest.target == "any":
            for field, share in (
                ("towers.forest_share", self.towers.forest_share),
                ("training.distillation", self.training.distillation),
            ):
                if share:
                    raise ValueError(
                        f"{field}: {share} should come from the forest's predictions, but with forest.target "
                        '"any" it predicts no single objective; set it to 0'
                    )
        sliceable = {f.name for f in self.features.categorical}
        by = self.towers.isotonic.by if self.towers.isotonic else None
        if by is not None and by not in sliceable:
            raise ValueError(f"towers.isotonic.by: {by!r} is not among the categorical features {sorted(sliceable)}")
        for columns in self.slices:
            if unknown := sorted(set(columns) - sliceable):
                raise ValueError(f"slices: {unknown} are not among the categorical features {sorted(sliceable)}")
        beam_args(self.beam_pipeline_args)

    @property
    def objective_names(self) -> tuple[str, ...]:
        """Objective names in the order of every label and logit vector."""
        return tuple(o.name for o in self.objectives)


T = TypeVar("T")


def to_json(part: object) -> str:
    """A config or a part of one as JSON, for a component parameter."""
    return TypeAdapter(type(part)).dump_json(part).decode()


def from_json(kind: type[T], text: str) -> T:
    """The config part of type `kind` that `to_json` wrote; raises ValidationError where it does not fit."""
    return TypeAdapter(kind).validate_json(text)


def _unique(field: str, names: Iterable[str]) -> None:
    names = tuple(names)
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ValueError(f"{field}: each name may stand once, but {twice} stand more often")
    if odd := sorted(name for name in names if re.search(r"[\s/,=]", name)):
        raise ValueError(f"{field}: names may not hold spaces, slashes, commas or equals signs, got {odd}")
