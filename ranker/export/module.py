"""The exported module: one graph from raw features to probabilities, with several signatures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from ranker import keys
from ranker.config.fields import MAX_WEIGHT
from ranker.config.objectives import Objective
from ranker.config.serving import LeafTable, Serving
from ranker.config.utility import Utility
from ranker.export.checks import check_codes, check_finite, check_leaves, check_range, check_scores, check_shapes
from ranker.export.effects import ServedEffects
from ranker.export.leaf_tables import make_logits
from ranker.export.names import (
    ALPHA,
    EXAMPLES,
    LAMBDA,
    SCORE_WITHOUT_EFFECTS,
    SERVING_DEFAULT,
    input_names,
    weight_name,
)
from ranker.export.padding import in_padded_batches
from ranker.export.request_features import Columns, RequestFeatures
from ranker.export.utility import utility_score
from ranker.forest.graph import ForestLeaves
from ranker.forest.margins import ForestMargins
from ranker.towers.examination import ExaminationModel
from ranker.towers.inputs import TowerInputs
from ranker.towers.network import TwoTowerNetwork

Tensors = Mapping[str, tf.Tensor]
Specs = Mapping[str, tf.TensorSpec]
Scores = dict[str, tf.Tensor]

MAX_ROWS = Serving().max_rows

_EFFECT = "effect"


class FeedRanker(tf.Module):
    """Scores impressions.

    Every signature ends in the same `_probabilities`, and every signature on raw features runs the same Transform graph
    and forest before it, so their scores agree. The checks on requests are in `ranker.export.checks`.

    Args:
        features: from a request to Transform's outputs; see `request_features`.
        forest: features float32 [batch, features] → leaf ids int32 [batch, trees].
        network: the fitted towers.
        inputs: sizes of the tensors that the towers read.
        objectives: in the order of the network's logits.
        margins: the forest's own log-odds; None to use the towers' alone.
        forest_share: the weight of those margins in each objective's log-odds; the towers' weight is 1 minus it.
        leaf_table: the form of the leaf embedding table.
        xla_forest: the same forest in the form for XLA; None omits the compiled signatures.
        max_rows: maximum number of candidates in a request.
        utility: the trade-off of a request that names none; None uses the default of a config.
        examination: the examination model; None where exposure changes no score.
        effects: random effects; None where the log-odds are those of forest and towers alone.

    Example:
        >>> features = request_features(raw, transform_graph)
        >>> ranker = FeedRanker(features, ForestLeaves(forest), network, inputs, objectives)
        >>> tf.saved_model.save(ranker, folder, signatures=ranker.signatures())
        >>> scores = tf.saved_model.load(folder).signatures["serving_default"](examples=tf.constant(serialized))
        >>> scores["click"].shape == (len(serialized),)
        True
    """

    def __init__(
        self,
        features: RequestFeatures,
        forest: ForestLeaves,
        network: TwoTowerNetwork,
        inputs: TowerInputs,
        objectives: Sequence[Objective],
        margins: ForestMargins | None = None,
        forest_share: float = 0.0,
        leaf_table: LeafTable = "float32",
        xla_forest: ForestLeaves | None = None,
        max_rows: int = MAX_ROWS,
        utility: Utility | None = None,
        examination: ExaminationModel | None = None,
        effects: ServedEffects | None = None,
    ) -> None:
        super().__init__(name="feed_ranker")
        self._raw = raw = features.raw
        self._features = features
        # Its variables are saved only if the logits need them.
        self._leaves: Callable[[], ForestLeaves] = lambda: forest
        self._xla_forest = xla_forest
        self._logits = make_logits(network, leaf_table, forest, margins, forest_share)
        self._inputs = inputs
        self._objectives = tuple(objectives)
        self.max_rows = max_rows
        self._utility = utility or Utility()
        self._examination = examination
        if effects is not None:
            self._effects = effects
        self._with_effects = effects is not None
        # All signatures on features share one function: loading a model takes as long as its functions are large. A
        # tf.function as an attribute would be exported by itself.
        relevance = {xla: tf.function(partial(self._relevance_of, xla=xla), autograph=False) for xla in (False, True)}
        self._relevance: Callable[[bool], Any] = lambda xla: relevance[xla]
        self._tower_names = input_names([keys.LEAVES, *(name for name in inputs.tensor_specs() if name != keys.LEAVES)])
        weights = {weight_name(objective.name) for objective in objectives}
        columns = (*raw.tensor_specs(), *raw.exposure_names.values(), *raw.id_names.values())
        if taken := sorted(weights & {name.lower() for name in columns}):
            raise ValueError(f"serving: {taken} are inputs of `rank_weighted`; rename these columns in the feed log")

    @property
    def dense(self) -> Mapping[str, int]:
        """Dense embedding → its size; no request may lack it."""
        return self._raw.features.embeddings

    def signatures(self) -> dict[str, Any]:
        """Name → concrete function; each takes keyword tensors and returns a dict of tensors.

        - `serving_default`: `examples` string [batch], serialised tf.Examples → objective → probability [batch]; with
          an examination model also `examination` [batch], which the probabilities are proportional to.
        - `score_features`: the tensors of `RawFeatures.tensor_specs` → the same.
        - `score_leaves`: `leaves` int32 [batch, trees], and those of `numeric`, `categorical`, the dense embeddings and
          `calibration_key` that the towers read, as Transform outputs them → the same. For a serving stack that runs
          the forest itself. Ids are read as they are. Without a forest, there is no `leaves`.
        - `score_local_leaves`: the same with `leaves` numbered within each tree, in the smallest sufficient unsigned
          type: one byte per tree if no tree has more than 256 leaves.
        - `rank`: the tensors of `score_features`, scalars `alpha` and `lambda_`, by default the config's → `score`
          [batch] and `order` int32 [batch], the rows by descending score; equal scores keep their order.
        - `rank_weighted`: the same with a scalar `weight_<objective>` per objective; the default is the config's, whose
          sign it must have.
        - `score_features_xla`, `rank_xla`: the same, with forest and towers compiled; only with an `xla_forest`.

        Each but `serving_default` also takes the tensors of `RawFeatures.exposure_specs`, with one row or one row per
        candidate. Their values change nothing, unless there is an examination model. Then the signatures of
        probabilities give examination × relevance, and relevance for the default exposure; `rank` and `rank_weighted`
        go by relevance alone. The signatures of leaves also take `examined_by` int64 [batch, features], as Transform
        outputs it, if examination depends on features.

        No request has to have the tensors of `RawFeatures.tensor_defaults`, that is histories; one row of them stands
        for all candidates. The signatures of leaves take the numbers of a history instead, as Transform outputs them.

        Each takes the ids that the towers read and those of the levels of random effects, string [batch] or, for all
        candidates, [1]; `serving_default` from its Examples. "" is a missing id; an unknown one has no effect. With
        effects, there is also `score_without_effects`, which takes the inputs of `serving_default` and leaves out the
        effects.
        """
        optional = {**self._raw.exposure_specs(), **self._raw.id_specs()}
        features = {**self._raw.tensor_specs(), **optional}
        leaves = {**self._leaves_specs(tf.int32), **self._examined_by_spec(), **optional}
        local_leaves = {**leaves, **self._leaves_specs(self._leaves().local_leaf_dtype)}
        rank = {**features, **_scalars((ALPHA, LAMBDA))}
        weights = _scalars(weight_name(objective.name) for objective in self._objectives)
        examples = {EXAMPLES: tf.TensorSpec([None], tf.string, name=EXAMPLES)}
        signatures = {
            SERVING_DEFAULT: self._signature(self._score_examples, examples),
            "score_features": self._signature(self._score_features, features),
            "score_leaves": self._signature(self._score_leaves, leaves, features=False),
            "score_local_leaves": self._signature(self._score_local_leaves, local_leaves, features=False),
            "rank": self._signature(self._rank, rank),
            "rank_weighted": self._signature(self._rank, {**rank, **weights}),
        }
        if self._xla_forest is not None:
            signatures["score_features_xla"] = self._signature(partial(self._score_features, xla=True), features)
            signatures["rank_xla"] = self._signature(partial(self._rank, xla=True), rank)
        if self._with_effects:
            signatures[SCORE_WITHOUT_EFFECTS] = self._signature(partial(self._score_examples, effects=False), examples)
        return signatures

    def defaults(self) -> dict[str, dict[str, tf.Tensor]]:
        """Signature → input → its default value for requests without it."""
        # One row stands for all rows: a request's number of candidates is not known here.
        exposure = {name: tf.constant([value]) for name, value in self._raw.exposure_defaults().items()}
        exposure |= {name: tf.constant([""]) for name in self._raw.id_names.values()}
        utility = {ALPHA: tf.constant(self._utility.alpha), LAMBDA: tf.constant(self._utility.lambda_)}
        weights = {weight_name(o.name): tf.constant(o.utility_weight) for o in self._objectives}
        score = {**exposure, **self._raw.tensor_defaults()}
        rank = {**score, **utility}
        defaults = {
            **dict.fromkeys(("score_leaves", "score_local_leaves"), exposure),
            "score_features": score,
            "rank": rank,
            "rank_weighted": {**rank, **weights},
        }
        compiled = {"score_features_xla": score, "rank_xla": rank}
        return {**defaults, **compiled} if self._xla_forest is not None else defaults

    def _signature(self, score: Callable[[Tensors], Scores], specs: Specs, features: bool = True) -> Any:
        """A concrete function of tensors with the given specs; `features` says whether they are those of features."""
        defaults = self._raw.tensor_defaults() if features else {}
        optional = [name for name in (*self._raw.exposure_specs(), *self._raw.id_specs(), *defaults) if name in specs]

        def checked(tensors: Tensors) -> Scores:
            shaped, checks = check_shapes(tensors, specs, self.max_rows, optional)
            with tf.control_dependencies(checks):
                return score(shaped)

        return tf.function(checked, autograph=False).get_concrete_function(dict(specs))

    def _leaves_specs(self, dtype: tf.DType) -> dict[str, tf.TensorSpec]:
        names = self._tower_names
        return {
            names[name]: tf.TensorSpec(spec.shape, dtype if name == keys.LEAVES else spec.dtype, name=names[name])
            for name, spec in self._inputs.tensor_specs().items()
            if name != keys.HASHED_IDS
        }

    def _examined_by_spec(self) -> dict[str, tf.TensorSpec]:
        by = len(self._examination.by_codes) if self._examination is not None else 0
        return {keys.EXAMINED_BY: tf.TensorSpec([None, by], tf.int64, name=keys.EXAMINED_BY)} if by else {}

    def _score_examples(self, tensors: Tensors, effects: bool = True) -> Scores:
        examples = tensors[EXAMPLES]
        request = self._features.of_examples(examples, exposure=self._examination is not None)
        ids = request.ids if effects else [tf.fill(tf.shape(examples), "") for _ in request.ids]
        relevance, by = self._relevance(False)(request.columns, ids)
        if self._examination is None:
            return self._as_scores(relevance)
        examination = tf.exp(self._examination(self._raw.exposure_values(request.exposure), by))
        return {**self._as_scores(relevance * examination), keys.EXAMINATION: examination[:, 0]}

    def _score_features(self, tensors: Tensors, xla: bool = False) -> Scores:
        relevance, by = self._relevance(xla)(self._features.of_tensors(tensors), self._raw.ids_of(tensors))
        return self._as_scores(self._examined(relevance, by, tensors))

    def _tower_batch(self, tensors: Tensors) -> dict[str, tf.Tensor]:
        """The towers' inputs in a request of leaves."""
        specs = self._inputs.tensor_specs()
        batch = {name: tensors[self._tower_names[name]] for name in specs if name != keys.HASHED_IDS}
        return {**batch, keys.HASHED_IDS: self._raw.hashed_ids(tensors)} if keys.HASHED_IDS in specs else batch

    def _score_leaves(self, tensors: Tensors) -> Scores:
        batch = self._tower_batch(tensors)
        if keys.LEAVES in batch:
            batch[keys.LEAVES] = check_leaves(batch[keys.LEAVES], self._inputs.leaves)
        return self._score_batch(batch, tensors)

    def _score_local_leaves(self, tensors: Tensors) -> Scores:
        batch = self._tower_batch(tensors)
        if keys.LEAVES in batch:
            first, leaves_of_tree = self._leaves().first_leaf[:-1], np.diff(self._leaves().first_leaf)
            batch[keys.LEAVES] = check_leaves(tf.cast(batch[keys.LEAVES], tf.int32), leaves_of_tree) + first
        return self._score_batch(batch, tensors)

    def _score_batch(self, batch: Tensors, tensors: Tensors) -> Scores:
        """The scores of a request of leaves, whose towers' inputs are `batch`."""
        checked = self._checked(batch)
        relevance = self._probabilities({**checked, **self._effect(self._raw.ids_of(tensors), checked)})
        by = tensors.get(keys.EXAMINED_BY)
        if self._examination is not None and by is not None:
            by = check_codes(keys.EXAMINED_BY, by, self._examination.by_codes)
        return self._as_scores(self._examined(relevance, by, tensors))

    def _rank(self, tensors: Tensors, xla: bool = False) -> Scores:
        # No assignment in the expression: TensorFlow's AutoGraph cannot read one, and warns.
        given = [(objective, weight_name(objective.name)) for objective in self._objectives]
        weights = {
            objective.name: check_range(name, tensors[name], *objective.weight_range)
            for objective, name in given
            if name in tensors
        }
        relevance, _ = self._relevance(xla)(self._features.of_tensors(tensors), self._raw.ids_of(tensors))
        score = utility_score(
            self._as_scores(relevance),
            self._objectives,
            check_range(ALPHA, tensors[ALPHA], 0.0, 1.0),
            check_range(LAMBDA, tensors[LAMBDA], 0.0, MAX_WEIGHT),
            weights,
        )
        return {"score": score, "order": tf.argsort(score, direction="DESCENDING", stable=True)}

    def _relevance_of(
        self, columns: Columns, ids: Sequence[tf.Tensor], xla: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Feature columns → [batch, objectives], the probabilities at the default exposure, and `keys.EXAMINED_BY`."""
        transformed = self._features(columns)
        batch = {name: transformed[name] for name in self._inputs.tensor_specs() if name != keys.LEAVES}
        # Transform's own outputs need no check.
        batch |= check_finite({name: batch[name] for name in self._inputs.dense})
        batch |= self._effect(ids, batch)
        features = transformed[keys.FOREST_FEATURES]
        if xla and self._xla_forest is not None:
            forest = self._xla_forest
            compiled = tf.function(
                lambda raw: self._probabilities({**raw, keys.LEAVES: forest(raw[keys.FOREST_FEATURES])}),
                jit_compile=True,
            )
            relevance = in_padded_batches(compiled, {**batch, keys.FOREST_FEATURES: features}, self.max_rows)
        else:
            relevance = _probabilities(self._logits.of_features(features, batch), batch)
        return relevance, transformed.get(keys.EXAMINED_BY)

    def _examined(self, relevance: tf.Tensor, by: tf.Tensor | None, tensors: Tensors) -> tf.Tensor:
        """Examination × relevance for the exposure in a request's tensors, [batch, objectives]."""
        if self._examination is None:
            return relevance
        values = self._raw.exposure_values(self._raw.exposure_of(tensors))
        return relevance * tf.exp(self._examination(values, by))

    def _checked(self, batch: Tensors) -> dict[str, tf.Tensor]:
        """The towers' inputs except the leaves, after checks: finite numbers and valid codes."""
        checked = {**batch, **check_finite({name: x for name, x in batch.items() if x.dtype.is_floating})}
        inputs = self._inputs
        for key, limits in ((keys.CATEGORICAL, inputs.categorical), (keys.CALIBRATION_KEY, (inputs.calibration_keys,))):
            if any(limits):
                checked[key] = check_codes(self._tower_names[key], batch[key], limits)
        return checked

    def _effect(self, ids: Sequence[tf.Tensor], batch: Tensors) -> dict[str, tf.Tensor]:
        """What the effects add to the log-odds, as one more of the tensors that scores depend on; none without ids."""
        return {_EFFECT: self._effects(ids, batch)} if ids else {}

    def _probabilities(self, batch: Tensors) -> tf.Tensor:
        """The towers' inputs, and what effects add to the log-odds → [batch, objectives]."""
        return _probabilities(self._logits(batch), batch)

    def _as_scores(self, probabilities: tf.Tensor) -> Scores:
        columns = tf.unstack(check_scores(probabilities, self._inputs.dense), len(self._objectives), axis=1)
        return {o.name: column for o, column in zip(self._objectives, columns, strict=True)}


def _probabilities(logits: tf.Tensor, batch: Tensors) -> tf.Tensor:
    return tf.sigmoid(logits + batch[_EFFECT] if _EFFECT in batch else logits)


def _scalars(names: Iterable[str]) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec([], tf.float32, name=name) for name in names}
