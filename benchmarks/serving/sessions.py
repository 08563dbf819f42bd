"""A session's candidates in every form that models score, and models of any number of objectives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import xgboost as xgb
from google.protobuf import text_format
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from benchmarks.serving.former import RecipeObjective, TunedObjective
from benchmarks.serving.prepare import PreparedModel, configs, load
from pipeline_config import FEED
from ranker import keys
from ranker.config.effects import Effects
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.serving import LeafTable
from ranker.examples import example_files, parsed_batches, records
from ranker.export.effects import ServedEffects
from ranker.export.module import FeedRanker
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import RequestFeatures, request_features
from ranker.forest.graph import ForestLeaves
from ranker.forest.margins import ForestMargins
from ranker.forest.model import Forest
from ranker.towers.inputs import TowerInputs, tower_inputs
from ranker.towers.network import TwoTowerNetwork

CANDIDATES = 500
FORMER_SHARE = 3  # the source tripled its forest when one forest replaced those per objective

_READ_ROWS = 4096
_TRAIN_ROWS = 2 * _READ_ROWS  # of forests of which only the cost is measured

Tensors = dict[str, tf.Tensor]
Scorer = Callable[[Mapping[str, tf.Tensor]], Any]


@dataclass(frozen=True, eq=False)
class Session:
    """Candidates of a session.

    Attributes:
        examples: string [candidates], serialised tf.Examples of raw features.
        features: the inputs of `score_features`.
        transformed: Transform's outputs for them.
    """

    examples: tf.Tensor
    features: Tensors
    transformed: Tensors


class Workshop:
    """Makes sessions and models from prepared artifacts.

    Args:
        prepared: the artifacts.
        config: the pipeline's.
    """

    def __init__(self, prepared: PreparedModel, config: PipelineConfig) -> None:
        self.config = config
        self._schema = text_format.Parse(_only_file(prepared.schema), schema_pb2.Schema())
        self.raw = RawFeatures(config.features, self._schema)
        self._graph = tft.TFTransformOutput(prepared.transform_graph)
        self._transform_graph = prepared.transform_graph
        self.features = self._request_features()
        self.transform_layer = self._graph.transform_features_layer()
        self.forest = Forest.load(prepared.forest)
        self.eval_files = example_files(f"{prepared.examples}/Split-eval")
        self._train = self._training_rows(prepared)
        self._forests: dict[tuple[tuple[int, ...], int], Forest] = {}
        self.transform = tf.function(
            lambda examples: dict(self.transform_layer(self.raw.parse(examples))),
            input_signature=[tf.TensorSpec([None], tf.string)],
        )

    def session(self, candidates: int = CANDIDATES) -> Session:
        """The first impressions of the held-out day, repeated if it has too few."""
        rows = [row for file in self.eval_files for batch in records(file, candidates).take(1) for row in batch.numpy()]
        examples = tf.constant([rows[i % len(rows)] for i in range(candidates)])
        return Session(examples, self._dense(examples), self.transform(examples))

    def exposure(self, candidates: int) -> Tensors:
        """The exposure columns' defaults as inputs of a signature, which a loaded signature cannot leave out."""
        return {name: tf.fill([candidates], value) for name, value in self.raw.exposure_defaults().items()}

    def inputs(self, forest: Forest) -> TowerInputs:
        """Sizes of the towers' inputs with this forest."""
        spec = self._graph.transformed_feature_spec()
        return tower_inputs(spec, self.config.features, self.config.towers, forest.trees, forest.leaves)

    def by_examples(self, ranker: FeedRanker, session: Session, folder: Path) -> Callable[[], object]:
        """Exports a model and loads it; returns what scores the session's examples with it."""
        tf.saved_model.save(ranker, str(folder), signatures=ranker.signatures())
        model = tf.saved_model.load(str(folder))
        return lambda: [
            scores.numpy() for scores in model.signatures["serving_default"](examples=session.examples).values()
        ]

    def ranker(self, objectives: int, effects: Effects | None = None, leaf_table: LeafTable = "float32") -> FeedRanker:
        """A model of `objectives` objectives, the config's repeated, with the number of trees of the config's model.

        Its towers are not trained, which does not change the cost. With `effects`, it has random effects of no entity.
        """
        chosen = self._objectives(objectives)
        forest = self._forest(list(range(objectives)), self.forest.trees)
        network, margins = self._network(forest, chosen), ForestMargins(forest)
        share = self.config.towers.forest_share
        features = self.config.features
        return FeedRanker(
            self._request_features(effects.columns if effects else ()),
            ForestLeaves(forest),
            network,
            self.inputs(forest),
            chosen,
            margins if share else None,
            share,
            leaf_table,
            effects=ServedEffects(effects, features, objectives) if effects else None,
        )

    def network_of_one(self, objective: int) -> Scorer:
        """A network for one objective, with its own forest of the same number of trees; reads Transform's outputs."""
        chosen = [self._objectives(objective + 1)[-1]]
        forest = self._forest([objective], self.forest.trees)
        leaves, network, inputs = ForestLeaves(forest), self._network(forest, chosen), self.inputs(forest)
        names = [name for name in inputs.tensor_specs() if name != keys.LEAVES]

        def score(transformed: Mapping[str, tf.Tensor]) -> tf.Tensor:
            batch = {name: transformed[name] for name in names}
            found = leaves(transformed[keys.FOREST_FEATURES])
            return tf.sigmoid(network.call({**batch, keys.LEAVES: found}, training=False))

        return tf.function(score)

    def recipe(self, objective: int, threads: int) -> RecipeObjective:
        """The former setup's model of one objective, with a third of the trees, from libraries."""
        features, dense, labels = self._train
        of_objective = labels[:, objective % labels.shape[1]]
        return RecipeObjective(self.former_forest(objective), features, dense, of_objective, threads)

    def tuned(self, objective: int, threads: int) -> TunedObjective:
        """The same written for speed; its weights are random, which does not change the cost."""
        forest, random = self.former_forest(objective), np.random.default_rng(objective)
        weights = random.normal(size=forest.leaves).astype(np.float32)
        dense = random.normal(size=[self._train[1].shape[1]]).astype(np.float32)
        return TunedObjective(forest, weights, dense, 0.0, threads)

    def dense(self, transformed: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The features that bypass the forest: normalised numbers and dense embeddings, concatenated."""
        names = (keys.NUMERIC, *(feature.name for feature in self.config.features.dense))
        return np.concatenate([transformed[name] for name in names], axis=1)

    def former_forest(self, objective: int) -> Forest:
        """One objective's forest of a third of the trees."""
        return self._forest([objective], self.forest.trees // FORMER_SHARE)

    def _request_features(self, ids: Sequence[str] = ()) -> RequestFeatures:
        calibrated_by = self.config.towers.calibrated_by(self.config.features)
        raw = RawFeatures(self.config.features, self._schema, ids)
        return request_features(raw, self._transform_graph, calibrated_by.name if calibrated_by else None)

    def _objectives(self, count: int) -> list[Objective]:
        known = self.config.objectives
        return [Objective(f"{known[i % len(known)].name}_{i}", tower=known[i % len(known)].tower) for i in range(count)]

    def _forest(self, objectives: list[int], trees: int) -> Forest:
        known = len(self.config.objectives)
        key = tuple(objective % known for objective in objectives), trees
        if key not in self._forests:
            self._forests[key] = self._grown(*key)
        return self._forests[key]

    def _grown(self, columns: tuple[int, ...], trees: int) -> Forest:
        features, _, labels = self._train
        settings = {
            "objective": "binary:logistic",
            "max_depth": self.config.forest.depth,
            "min_child_weight": self.config.forest.min_child_weight,
            "learning_rate": self.config.forest.learning_rate,
            # Threads synchronise at every node, which on a busy machine takes longer than the computation.
            "nthread": 1,
        }
        booster = xgb.train(settings, xgb.DMatrix(features, labels[:, columns]), trees // len(columns))
        return Forest.from_booster(booster, self.config.features.forest_names)

    def _training_rows(
        self, prepared: PreparedModel
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Forest features, dense columns and labels of the first training rows."""
        spec = self._graph.transformed_feature_spec()
        dense = (keys.NUMERIC, *(feature.name for feature in self.config.features.dense))
        read = {name: spec[name] for name in (keys.FOREST_FEATURES, keys.LABELS, *dense)}
        files = example_files(f"{prepared.transformed_examples}/Split-train")
        parts: list[dict[str, NDArray[Any]]] = []
        for batch in parsed_batches(files, read, _READ_ROWS):
            parts.append(batch)
            if len(parts) * _READ_ROWS >= _TRAIN_ROWS:
                break
        rows = {name: np.concatenate([part[name] for part in parts]) for name in read}
        return rows[keys.FOREST_FEATURES], self.dense(rows), rows[keys.LABELS]

    def _network(self, forest: Forest, objectives: list[Objective]) -> TwoTowerNetwork:
        base_rates = np.full(len(objectives), 0.1)
        return TwoTowerNetwork(self.inputs(forest), self.config.towers, objectives, base_rates, seed=1)

    def _dense(self, examples: tf.Tensor) -> Tensors:
        """The inputs of `score_features` for serialised examples."""
        parsed, specs, tensors = self.raw.parse(examples), self.raw.tensor_specs(), {}
        for column, name in self.raw.input_names.items():
            tensor, spec = parsed[column], specs[name]
            if isinstance(tensor, tf.SparseTensor):
                missing = "" if spec.dtype == tf.string else float("nan")
                shape = [len(examples), max(1, int(tensor.dense_shape[1]))]
                tensor = tf.sparse.to_dense(tf.sparse.reset_shape(tensor, shape), default_value=missing)
            tensors[name] = tf.reshape(tensor, [len(examples), *([-1] if spec.shape.rank == 2 else [])])
        return {**tensors, **self.exposure(len(examples))}


def built_in_workshop(work: Path, quick: bool) -> Workshop:
    """The workshop of the built-in feed's model.

    Args:
        work: where `benchmarks.serving.prepare` has put the models.
        quick: whether they are those of a quick run.
    """
    return Workshop(load(work)[FEED.name], configs(quick)[FEED.name])


def _only_file(folder: str) -> str:
    (name,) = tf.io.gfile.listdir(folder)
    with tf.io.gfile.GFile(f"{folder}/{name}") as file:
        return str(file.read())
