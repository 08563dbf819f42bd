"""Fits the towers on encoded leaves and exports the model with everything that serving and a later training need."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import Features
from ranker.config.effects import Effects
from ranker.config.examination import Examination
from ranker.config.objectives import Objective
from ranker.config.retraining import Retraining
from ranker.config.serving import Serving
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.config.utility import Utility
from ranker.export.effects import ServedEffects
from ranker.export.module import FeedRanker
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import request_features
from ranker.export.saved_model import export_saved_model
from ranker.export.training_state import TrainingState
from ranker.forest.graph import ForestLeaves
from ranker.forest.margins import ForestMargins
from ranker.forest.model import Forest
from ranker.identity.training import TrainingIdentity
from ranker.registry.layout import FOREST, TOWER_STATE
from ranker.registry.manifest import Lineage, Manifest
from ranker.registry.plan import StartPlan
from ranker.towers.data import (
    LabelCounts,
    count_labels,
    count_sampled,
    random_impressions,
    training_batches,
    weighing_of,
)
from ranker.towers.examination import ExaminationModel, fit_examination
from ranker.towers.history import TrainingHistory
from ranker.towers.inputs import tower_inputs
from ranker.towers.relevance import relevance_shift
from ranker.towers.retrain import Task, retrain
from ranker.towers.sampling import make_sampler
from ranker.towers.state import TowerState
from ranker.towers.workers import is_chief
from ranker.training.continued import continued_state

MANIFEST_PARTS = (
    *("objectives", "features", "keys", "timestamps", "towers", "training", "utility", "serving"),
    *("examination", "effects", "rows"),
)
"""The config parts that a manifest holds; one that the config lacks is left out."""


@dataclass(frozen=True)
class TowerSettings:
    """The parts of a config that fitting and exporting the towers depend on."""

    objectives: tuple[Objective, ...]
    features: Features
    towers: Towers
    training: Training
    retraining: Retraining
    utility: Utility
    serving: Serving
    examination: Examination | None
    effects: Effects | None


@dataclass(frozen=True)
class TowerData:
    """What the towers are fitted on.

    Attributes:
        leaf_files: the training rows with their leaves, of `ranker.forest.leaf_shards`.
        forest: folder of the forest that encoded them.
        transform_graph: folder of the Transform graph.
        schema: of the feed log, with tensor representations.
    """

    leaf_files: Sequence[str]
    forest: str
    transform_graph: str
    schema: schema_pb2.Schema


@dataclass(frozen=True)
class TrainingRecord:
    """What the manifest tells of a training.

    Attributes:
        identity: of the training.
        config_name: the name of the config.
        config: the config parts that shaped the model, each as JSON values.
        trained_days: YYYY-MM-DD; as in the manifest.
        parts: digests of what a warm start requires to be unchanged.
    """

    identity: TrainingIdentity
    config_name: str
    config: Mapping[str, Any]
    trained_days: Sequence[str]
    parts: Mapping[str, str]


def fit_and_export(
    settings: TowerSettings,
    data: TowerData,
    record: TrainingRecord,
    folder: str,
    plan: StartPlan,
    state: str = "",
    log_dir: str | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> TrainingHistory | None:
    """Fits the towers and writes the model into `folder`; with several workers, only the chief writes.

    Args:
        settings: parts of the config.
        data: rows, forest, Transform graph and schema.
        record: for the manifest.
        folder: the new folder of the SavedModel, a path or URI.
        plan: what the training starts from.
        state: folder of the parent's state, where the start is not cold.
        log_dir: folder for TensorBoard's event files; None writes none.
        strategy: the devices that train together; None trains on one.

    Returns:
        The training history; None for a worker that is not the chief.

    Raises:
        TrainingDivergedError: the loss became NaN or infinite, or exploded.
        ValueError: an input contains NaN or infinity, or leaves, forest, transform graph, schema, config and training
            start do not belong together.
    """
    objectives, features, towers, training = (
        *(settings.objectives, settings.features),
        *(settings.towers, settings.training),
    )
    files = data.leaf_files
    raw = RawFeatures(features, data.schema, settings.effects.columns if settings.effects else ())
    forest = Forest.load(data.forest)
    inputs = tower_inputs(
        tft.TFTransformOutput(data.transform_graph).transformed_feature_spec(),
        features,
        towers,
        forest.trees,
        forest.leaves,
    )
    names = [o.name for o in objectives]
    examination = None
    if settings.examination:
        examination = _examination(files, features, len(names), settings.examination, plan, state)
    sampler = make_sampler(training.sampling, names, training.seed)
    # The few days of a warm start may lack a label that is known only later; its objective does not learn from them.
    plain = count_labels(files, names, may_lack=not plan.is_cold)
    weighing = weighing_of(plain)
    counts = plain if sampler is None else count_sampled(files, names, sampler, plain)
    length = training.length(counts.rows, continued=not plan.is_cold)
    everything = partial(
        training_batches,
        files,
        inputs,
        len(objectives),
        length.batch_size,
        training.shuffle_buffer,
        epochs=length.epochs,
        seed=training.seed,
        examination=examination,
        weighing=weighing,
    )
    batches = everything
    if sampler is not None:
        batches = partial(everything, sampler=sampler.scaled(counts.scale))
    parent = None
    if not plan.is_cold:
        parent = continued_state(
            TowerState.load(os.path.join(state, TOWER_STATE)),
            Forest.load(os.path.join(state, FOREST)),
            *(forest, inputs, objectives, towers, training.seed),
        )
    # The trees of a superset-objective forest do not predict a single objective.
    margins = ForestMargins(forest) if len(forest.base_margin) == len(objectives) else None
    if examination is not None:
        shift, mean = relevance_shift(everything(epochs=1), margins)
        margins = ForestMargins(forest, shift) if margins is not None else None
        counts = replace(counts, mean_examination=mean)
    task = Task(
        counts,
        inputs,
        objectives,
        towers,
        training,
        settings.retraining,
        forest.fingerprint,
        margins,
        examination=examination is not None,
        weighted=weighing is not None,
    )
    trained, tower_state = retrain(plan.start, task, batches, parent, log_dir, strategy, everything)
    if strategy is not None and not is_chief(strategy):
        return None

    manifest = Manifest(
        objectives=names,
        trees=forest.trees,
        leaves=forest.leaves,
        forest_fingerprint=forest.fingerprint,
        training_fingerprint=record.identity.fingerprint,
        eval_day=record.identity.day,
        trained_days=list(record.trained_days),
        rows=counts.rows,
        base_rates=_known_rates(names, replace(counts, mean_examination=1.0)),
        input_names={**raw.input_names, **raw.exposure_names, **raw.id_names},
        config_name=record.config_name,
        config=dict(record.config),
        training=record.identity,
        lineage=Lineage(
            start=plan.start,
            parent=plan.parent,
            forest_day=plan.forest_day or record.identity.day,
            fisher=bool(tower_state.latest.fisher),
            parts=dict(record.parts),
        ),
    )
    serving = settings.serving
    module = FeedRanker(
        request_features(
            raw,
            data.transform_graph,
            calibrated_by.name if (calibrated_by := towers.calibrated_by(features)) else None,
            settings.examination.by if settings.examination else (),
        ),
        ForestLeaves(forest),
        trained.network,
        inputs,
        objectives,
        margins if towers.forest_share else None,
        towers.forest_share,
        leaf_table=serving.leaf_table,
        xla_forest=ForestLeaves(forest, xla=True) if serving.xla else None,
        max_rows=serving.max_rows,
        utility=settings.utility,
        examination=examination,
        # None is fitted yet.
        effects=ServedEffects(settings.effects, features, len(objectives)) if settings.effects else None,
    )
    export_saved_model(
        module, manifest, folder, TrainingState(data.forest, data.transform_graph, tower_state, examination)
    )
    return trained.history


def _known_rates(objectives: Sequence[str], counts: LabelCounts) -> dict[str, float]:
    """The base rates by objective, without objectives that have no label."""
    rates = zip(objectives, counts.base_rates.tolist(), counts.has_labels, strict=True)
    return {name: rate for name, rate, has_labels in rates if has_labels}


def _examination(
    files: Sequence[str], features: Features, objectives: int, settings: Examination, plan: StartPlan, state: str
) -> ExaminationModel:
    """The examination model, fitted on a cold start; later trainings keep it, as their weights were fitted with it."""
    if not plan.is_cold:
        return ExaminationModel.load(os.path.join(state, TOWER_STATE))
    codes = {feature.name: feature.codes for feature in features.coded}
    by_codes = [codes[name] for name in settings.by]
    random = random_impressions(files, objectives, len(features.exposure), len(by_codes))
    return fit_examination(random, features.exposure, by_codes, settings)
