"""Explains the log-odds of a pushed model, from the training state that is stored with it."""

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from ranker import keys
from ranker.config.columns import Features
from ranker.config.documents import from_json
from ranker.config.effects import Effects
from ranker.config.objectives import Objective
from ranker.config.serving import Serving
from ranker.config.towers import Towers
from ranker.effects.state import EffectState
from ranker.explanation.effects import EffectExplainer
from ranker.explanation.forest import forest_contributions, served_booster
from ranker.explanation.paths import LeafPaths
from ranker.explanation.towers import TowerExplainer
from ranker.export.leaf_tables import quantise
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import request_features
from ranker.features.vocabularies import read_vocabularies
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal
from ranker.registry.layout import EFFECT_STATE, FOREST, STATE, TOWER_STATE, TRANSFORM_GRAPH
from ranker.registry.manifest import Manifest
from ranker.towers.inputs import tower_inputs
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.state import TowerState, check_forest, restore

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each column adds to the log-odds of some rows.

    Attributes:
        columns: the feature columns, in the order of the config, and then the id columns of random effects that are no
            features.
        baseline: [objectives], the log-odds of the average impression.
        values: [rows, objectives, columns]; with the baseline, they add up to `log_odds`.
        log_odds: [rows, objectives].
    """

    columns: tuple[str, ...]
    baseline: Doubles
    values: Doubles
    log_odds: Doubles


class Explainer:
    """Explains the rows of one model.

    Args:
        folder: the model's local folder.
        manifest: of the model.

    Attributes:
        columns: as those of `Contributions`.
        id_columns: those that hold ids.

    Raises:
        ValueError: the model has no training state, or one that does not belong to its config.
    """

    def __init__(self, folder: str, manifest: Manifest) -> None:
        state = os.path.join(folder, STATE)
        if not os.path.isdir(state):
            raise ValueError(f"{folder}: it has no {STATE}, which explanations are computed from")
        config = manifest.config
        self._features = _part(Features, config["features"])
        self._objectives = _part(tuple[Objective, ...], config["objectives"])
        towers = _part(Towers, config["towers"])
        self._share = towers.forest_share
        graph = os.path.join(state, TRANSFORM_GRAPH)
        transform = tft.TFTransformOutput(graph)
        by = towers.calibrated_by(self._features)
        effects = _part(Effects, config["effects"]) if config.get("effects") else None
        ids = effects.columns if effects else ()
        self._raw = RawFeatures(self._features, transform.raw_metadata.schema, ids)
        self.columns: tuple[str, ...] = tuple(dict.fromkeys((*self._features.names, *ids)))
        self.id_columns = frozenset((*self._features.id_names, *ids))
        self._effects: EffectExplainer | None = None
        if effects is not None:
            fitted_effects = None if manifest.effects is None else EffectState.load(os.path.join(state, EFFECT_STATE))
            self._effects = EffectExplainer(effects, self._features, fitted_effects, graph, len(self._objectives))
        self._transform = request_features(self._raw, graph, by.name if by else None)
        self._forest = Forest.load(os.path.join(state, FOREST))
        self._traversal = Traversal(self._forest)
        self._booster = served_booster(self._forest) if self._share else None
        self._inputs = tower_inputs(
            transform.transformed_feature_spec(), self._features, towers, self._forest.trees, self._forest.leaves
        )
        fitted = TowerState.load(os.path.join(state, TOWER_STATE))
        check_forest(fitted, self._forest.fingerprint)
        # The weights of the base rates, too, come from the state.
        rates = np.full(len(self._objectives), 0.5)
        network = TwoTowerNetwork(self._inputs, towers, self._objectives, rates, seed=0)
        restore(network, fitted.latest)
        vectors = None if network.leaf_embedding is None else network.leaf_embedding.embeddings.numpy()
        if vectors is not None and _part(Serving, config["serving"]).leaf_table == "int8":
            codes, steps = quantise(vectors)
            scale = steps.astype(np.float32)
            vectors = codes.astype(np.float32) * scale[:, :1] + scale[:, 1:]
        coded = self._features.coded if self._inputs.categorical else ()
        vocabularies = read_vocabularies(graph)
        self._coded = [column.name for column in coded]
        self._by = by.name if by else None
        self._towers = TowerExplainer(
            network,
            vectors,
            None if vectors is None else LeafPaths.of(self._forest, vectors),
            len(self._forest.feature_names),
            [len(vocabularies[column.name]) for column in coded],
            [column.codes for column in coded],
            by.missing_code if by else 0,
        )
        widths = [len(column.forest_names) for column in self._features.columns]
        # Sums the forest's inputs of a column, [inputs, columns].
        self._to_columns = np.repeat(np.eye(len(widths)), widths, axis=0)

    def __call__(self, examples: pa.BinaryArray) -> Contributions:
        """Explains serialised tf.Examples."""
        rows = len(examples)
        columns = self.columns
        forest_features, batch, effects = self._read(examples)
        towers = self._towers(batch)

        share = self._share
        values = (1 - share) * (towers.forest_inputs @ self._to_columns)
        of_ids = np.zeros((rows, len(self._objectives), len(columns) - len(self._features.names)))
        values = np.concatenate([values, of_ids], axis=2)
        for i, name in enumerate(self._features.numeric_names if self._inputs.numeric else ()):
            values[:, :, columns.index(name)] += (1 - share) * towers.numeric[:, :, i]
        for i, name in enumerate(self._coded):
            values[:, :, columns.index(name)] += (1 - share) * towers.categorical[:, :, i]
        for name, part in towers.dense.items():
            values[:, :, columns.index(name)] += (1 - share) * part
        for i, name in enumerate(self._features.id_names):
            values[:, :, columns.index(name)] += (1 - share) * towers.ids[:, :, i]
        if self._by:
            values[:, :, columns.index(self._by)] += (1 - share) * towers.calibration_key
        baseline, log_odds = (1 - share) * towers.baseline, (1 - share) * towers.logits
        if self._booster is not None and rows:
            found = forest_contributions(self._booster, forest_features, len(self._objectives))
            values[:, :, : len(self._features.names)] += share * (found[:, :, :-1] @ self._to_columns)
            baseline = baseline + share * found[0, :, -1]
            log_odds = log_odds + share * self._forest.margins(batch[keys.LEAVES])
        for i, name in enumerate(self._effects.columns if self._effects else ()):
            values[:, :, columns.index(name)] += effects[:, :, i]
        log_odds = log_odds + effects.sum(axis=2)
        return Contributions(columns, baseline, values, log_odds)

    def log_odds(self, examples: pa.BinaryArray) -> Doubles:
        """The log-odds of serialised tf.Examples, [rows, objectives], without contributions, which cost more."""
        _, batch, effects = self._read(examples)
        log_odds = (1 - self._share) * self._towers.logits(batch) + effects.sum(axis=2)
        return log_odds + self._share * self._forest.margins(batch[keys.LEAVES]) if self._share else log_odds

    def _read(self, examples: pa.BinaryArray) -> tuple[NDArray[np.float32], dict[str, NDArray[Any]], Doubles]:
        """The forest's inputs of rows, [rows, inputs], those of the towers by name, and the random effects, [rows,
        objectives, levels].
        """
        request = self._transform.of_examples(tf.constant(examples.to_numpy(zero_copy_only=False), tf.string))
        outputs = self._transform(request.columns)
        effects = np.zeros((len(examples), len(self._objectives), 0))
        if self._effects is not None:
            effects = self._effects(request.ids, outputs)
        transformed = {name: tensor.numpy() for name, tensor in outputs.items()}
        forest_features = transformed[keys.FOREST_FEATURES]
        leaves = self._traversal(forest_features).astype(np.int32)
        every = {**transformed, keys.LEAVES: leaves}
        return forest_features, {name: every[name] for name in self._inputs.tensor_specs()}, effects


def _part(kind: type[Any], values: Any) -> Any:
    return from_json(kind, json.dumps(values))
