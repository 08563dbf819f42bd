"""A trained forest: XGBoost's booster plus one numbering of all its leaves.

XGBoost names a leaf by its node id within its tree. An embedding table wants one contiguous range over the whole forest
instead, so leaves are numbered here tree by tree and, within a tree, from left to right. That order makes every split
a statement about a range: where its condition fails, the leaves under its left child are out of reach. The fast
traversals (`traverse`, `graph`) are built on these ranges.
"""

import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
import xgboost as xgb
from numpy.typing import NDArray

from ranker.files import write_bytes, write_text
from ranker.forest.boosters import read_model, with_trees_of
from ranker.storage import join

BOOSTER_FILE = "forest.ubj"
ARRAYS_FILE = "forest.npz"
DESCRIPTION_FILE = "forest.json"
_FORMAT = 3
_ARRAYS = (
    *("split_feature", "split_threshold", "split_default_left", "split_left", "first_leaf"),
    *("leaf_node", "leaf_value", "leaf_cover", "tree_output", "tree_rate", "base_margin"),
)
_STRUCTURE = (
    *("split_feature", "split_threshold", "split_default_left", "split_left", "leaf_node"),
    *("tree_output", "base_margin"),
)
# XGBoost bounds a base score that is a probability by this before it takes its log-odds.
_LEAST_PROBABILITY = 1e-6

Leaves: TypeAlias = NDArray[np.uint16 | np.uint32]


@dataclass(frozen=True, eq=False, repr=False)
class Forest:
    """A forest of `trees` trees with `leaves` leaves and `leaves - trees` splits, in XGBoost's tree order.

    Splits are listed tree by tree, in pre-order. A row goes left at a split when its float32 value is below the
    threshold; a missing value (NaN) goes where `split_default_left` says.

    The booster holds the structure. What the leaves are worth stands in `leaf_value`: after a refresh
    (`ranker.forest.refresh`) the booster's own values, and what it predicts by itself, are those of before.

    Attributes:
        ubj: the booster, serialised by XGBoost as UBJSON.
        feature_names: one per column of the feature matrix.
        split_feature: int32 [splits], the column that a split looks at.
        split_threshold: float32 [splits].
        split_default_left: bool [splits].
        split_left: int32 [splits, 2], the leaves from (inclusive) and to (exclusive) under the left child.
        first_leaf: int32 [trees + 1]; tree t has the leaves from first_leaf[t] to first_leaf[t + 1].
        leaf_node: int32 [leaves], XGBoost's node id of each leaf within its tree.
        leaf_value: float32 [leaves], what a leaf adds to its tree's output.
        leaf_cover: float32 [leaves], the sum of the hessians of the rows that a leaf's value rests on.
        tree_output: int32 [trees], the output that each tree adds to: an objective, or the superset objective.
        tree_rate: float64 [trees], the learning rate of each tree's values; NaN where it is not known, as in forests of
            earlier versions of this project.
        base_margin: float32 [outputs], the log-odds that the trees' sum starts from.
    """

    ubj: bytes
    feature_names: tuple[str, ...]
    split_feature: NDArray[np.int32]
    split_threshold: NDArray[np.float32]
    split_default_left: NDArray[np.bool_]
    split_left: NDArray[np.int32]
    first_leaf: NDArray[np.int32]
    leaf_node: NDArray[np.int32]
    leaf_value: NDArray[np.float32]
    leaf_cover: NDArray[np.float32]
    tree_output: NDArray[np.int32]
    tree_rate: NDArray[np.float64]
    base_margin: NDArray[np.float32]

    @property
    def trees(self) -> int:
        """Number of trees."""
        return len(self.first_leaf) - 1

    @property
    def leaves(self) -> int:
        """Number of leaves in all trees together."""
        return len(self.leaf_node)

    @property
    def leaf_dtype(self) -> type[np.uint16 | np.uint32]:
        """The smallest unsigned type, of 2 or 4 bytes, that holds every leaf number."""
        return np.uint16 if self.leaves <= 1 << 16 else np.uint32

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of the booster: equal for two forests exactly when their leaves mean the same.

        A refresh leaves the booster, and so this, as it is: its leaves hold the same rows and have other values. Added
        trees change it.
        """
        return _digest(self.ubj)

    @cached_property
    def booster(self) -> xgb.Booster:
        """XGBoost's own model; its features carry no names."""
        return xgb.Booster(model_file=bytearray(self.ubj))

    def renumber(self, nodes: NDArray[Any]) -> Leaves:
        """Leaf numbers for XGBoost's `predict(..., pred_leaf=True)`.

        Args:
            nodes: node ids [rows, trees] of any numeric type.

        Returns:
            `leaf_dtype` [rows, trees].
        """
        leaves = np.empty(nodes.shape, self.leaf_dtype)
        for tree in range(self.trees):
            begin, end = self.first_leaf[tree], self.first_leaf[tree + 1]
            number = np.zeros(int(self.leaf_node[begin:end].max()) + 1, self.leaf_dtype)
            number[self.leaf_node[begin:end]] = np.arange(begin, end)
            leaves[:, tree] = number[nodes[:, tree].astype(np.int64)]
        return leaves

    def margins(self, leaves: NDArray[Any]) -> NDArray[np.float32]:
        """The forest's own predictions, as log-odds [rows, outputs], of leaf numbers [rows, trees]."""
        values = self.leaf_value[leaves]
        outputs = [values[:, self.tree_output == output].sum(axis=1) for output in range(len(self.base_margin))]
        return np.stack(outputs, axis=1) + self.base_margin

    def begins_with(self, earlier: "Forest") -> bool:
        """Whether the first trees of this forest are those of the earlier one; leaf values may differ."""
        return (
            self.feature_names == earlier.feature_names
            and np.array_equal(self.first_leaf[: earlier.trees + 1], earlier.first_leaf)
            and all(
                np.array_equal(getattr(self, name)[: len(getattr(earlier, name))], getattr(earlier, name))
                for name in _STRUCTURE
            )
        )

    def followed_by(self, later: "Forest") -> "Forest":
        """This forest with the trees of another one at the end, whose leaves are numbered from this one's last.

        Args:
            later: a forest of the same features and outputs, fitted to what this one's log-odds miss.

        Raises:
            ValueError: the other forest has other features, or another number of outputs.
        """
        if self.feature_names != later.feature_names or len(self.base_margin) != len(later.base_margin):
            raise ValueError("forest: trees can be added only if they have the same features and outputs")
        moved = {
            "split_left": later.split_left + np.int32(self.leaves),
            "first_leaf": later.first_leaf[1:] + np.int32(self.leaves),
            "base_margin": later.base_margin[:0],
        }
        arrays = {
            name: _frozen(np.concatenate([getattr(self, name), moved.get(name, getattr(later, name))]))
            for name in _ARRAYS
        }
        return Forest(with_trees_of(self.booster, later.booster), self.feature_names, **arrays)

    @staticmethod
    def without_trees(feature_names: Sequence[str]) -> "Forest":
        """The forest of a model whose towers read no leaves; it has no output and no booster."""
        nothing = {name: _frozen(np.zeros(0, np.int32)) for name in _ARRAYS}
        floats = ("split_threshold", "leaf_value", "leaf_cover", "base_margin")
        nothing |= {name: _frozen(np.zeros(0, np.float32)) for name in floats}
        nothing["tree_rate"] = _unknown_rates(0)
        nothing["split_default_left"] = _frozen(np.zeros(0, np.bool_))
        nothing["split_left"] = _frozen(np.zeros((0, 2), np.int32))
        nothing["first_leaf"] = _frozen(np.zeros(1, np.int32))
        return Forest(b"", tuple(feature_names), **nothing)

    @staticmethod
    def from_booster(booster: xgb.Booster, feature_names: Sequence[str]) -> "Forest":
        """Numbers the leaves of a trained booster.

        Args:
            booster: a `gbtree` with the objective `binary:logistic` or `reg:squarederror`.
            feature_names: one per column of the feature matrix.

        Raises:
            ValueError: names that do not match the booster's features; a booster that is not a `gbtree` of trees with
                one output each and numeric splits; another objective, whose predictions start from a base score that
                is not interpreted here.
        """
        ubj = bytes(booster.save_raw("ubj"))
        learner = read_model(booster)["learner"]
        features = int(learner["learner_model_param"]["num_feature"])
        if features != len(feature_names):
            raise ValueError(f"forest: the booster has {features} features, but {len(feature_names)} names were given")
        if (own := learner["feature_names"]) and own != list(feature_names):
            raise ValueError(
                f"forest: the booster's features are {own}, in this order, but the names are {list(feature_names)}"
            )
        if (kind := learner["gradient_booster"]["name"]) != "gbtree":
            raise ValueError(f"forest: the booster must be a gbtree, got {kind}")
        model = learner["gradient_booster"]["model"]
        trees = [_Tree(tree) for tree in model["trees"]]
        if not trees:
            raise ValueError("forest: the booster has no trees")
        first_leaf = _frozen(np.cumsum([0, *(len(tree.leaf_node) for tree in trees)]).astype(np.int32))
        left = [np.reshape(tree.left, (-1, 2)) + first for tree, first in zip(trees, first_leaf[:-1], strict=True)]
        return Forest(
            ubj=ubj,
            feature_names=tuple(feature_names),
            split_feature=_joined([tree.feature for tree in trees], np.int32),
            split_threshold=_joined([tree.threshold for tree in trees], np.float32),
            split_default_left=_joined([tree.default_left for tree in trees], np.bool_),
            split_left=_joined(left, np.int32),
            first_leaf=first_leaf,
            leaf_node=_joined([tree.leaf_node for tree in trees], np.int32),
            leaf_value=_joined([tree.leaf_value for tree in trees], np.float32),
            leaf_cover=_joined([tree.leaf_cover for tree in trees], np.float32),
            tree_output=_frozen(np.asarray(model["tree_info"], np.int32)),
            tree_rate=_unknown_rates(len(trees)),
            base_margin=_frozen(_base_margin(learner)),
        )

    def save(self, folder: str) -> None:
        """Writes the booster, the arrays and, last, the description that makes the folder a whole forest.

        Args:
            folder: a path or URI.
        """
        arrays = io.BytesIO()
        np.savez(arrays, **{name: getattr(self, name) for name in _ARRAYS})
        description = {
            "format": _FORMAT,
            "fingerprint": self.fingerprint,
            "trees": self.trees,
            "leaves": self.leaves,
            "arrays": _digest(arrays.getvalue()),
            "feature_names": list(self.feature_names),
        }
        write_bytes(join(folder, BOOSTER_FILE), self.ubj)
        write_bytes(join(folder, ARRAYS_FILE), arrays.getvalue())
        write_text(join(folder, DESCRIPTION_FILE), json.dumps(description, indent=1))

    @staticmethod
    def load(folder: str) -> "Forest":
        """Reads what `save` wrote and checks that the files are whole and belong together.

        Raises:
            ValueError: a file that is missing, damaged, or of another forest; the message names it.
        """
        path = os.path.join(folder, DESCRIPTION_FILE)
        try:
            description = json.loads(_read(path))
            found, names = description["format"], description["feature_names"]
            digests = {BOOSTER_FILE: description["fingerprint"], ARRAYS_FILE: description["arrays"]}
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"forest: {path} is not a forest's description: {error!r}") from error
        if found != _FORMAT:
            raise ValueError(f"forest: {path} has format {found}, but this code reads format {_FORMAT}")
        contents = {}
        for name, expected in digests.items():
            contents[name] = _read(os.path.join(folder, name))
            if (digest := _digest(contents[name])) != expected:
                raise ValueError(
                    f"forest: {os.path.join(folder, name)} has digest {digest}, but {DESCRIPTION_FILE} expects "
                    f"{expected}; it is damaged, or belongs to another forest"
                )
        with np.load(io.BytesIO(contents[ARRAYS_FILE])) as arrays:
            # Earlier versions of this project saved no learning rates.
            saved = {"tree_rate": _unknown_rates(len(arrays["tree_output"])), **arrays}
            return Forest(contents[BOOSTER_FILE], tuple(names), **{name: _frozen(saved[name]) for name in _ARRAYS})


class _Tree:
    """One tree of XGBoost's JSON model, walked in pre-order; leaf numbers count from 0 within the tree."""

    def __init__(self, tree: dict[str, Any]) -> None:
        if any(tree["split_type"]):
            raise ValueError("forest: categorical splits are not supported; encode categories as numbers")
        if int(tree["tree_param"]["size_leaf_vector"]) > 1:
            raise ValueError("forest: trees with a vector in each leaf are not supported; grow one tree per objective")
        self.feature: list[int] = []
        self.threshold: list[float] = []
        self.default_left: list[int] = []
        self.left: list[tuple[int, int]] = []
        self.leaf_node: list[int] = []
        self.leaf_value: list[float] = []
        self.leaf_cover: list[float] = []
        left, right = tree["left_children"], tree["right_children"]
        # A stack entry is a node, and the split whose left side is done once that node is reached (-1: none).
        stack = [(0, -1)]
        while stack:
            node, closes = stack.pop()
            if closes >= 0:
                self.left[closes] = (self.left[closes][0], len(self.leaf_node))
            if left[node] < 0:
                self.leaf_node.append(node)
                self.leaf_value.append(tree["split_conditions"][node])
                self.leaf_cover.append(tree["sum_hessian"][node])
                continue
            stack.append((right[node], len(self.feature)))
            stack.append((left[node], -1))
            self.feature.append(tree["split_indices"][node])
            self.threshold.append(tree["split_conditions"][node])
            self.default_left.append(tree["default_left"][node])
            self.left.append((len(self.leaf_node), 0))


def _base_margin(learner: dict[str, Any]) -> NDArray[np.float32]:
    """What each output's sum starts from, computed from the base score as XGBoost does for the booster's objective."""
    start = np.asarray(json.loads(learner["learner_model_param"]["base_score"]), np.float32).reshape(-1)
    match learner["objective"]["name"]:
        case "reg:squarederror":
            return start
        case "binary:logistic":
            one, least = np.float32(1), np.float32(_LEAST_PROBABILITY)
            return -np.log(one / np.clip(start, least, one - least) - one)
        case other:
            raise ValueError(
                f"forest: boosters with the objective {other} are not supported, because their base score is not "
                "interpreted here; train with binary:logistic or reg:squarederror"
            )


def _unknown_rates(trees: int) -> NDArray[np.float64]:
    return _frozen(np.full(trees, np.nan))


def _joined(parts: list[Any], dtype: type[np.generic]) -> NDArray[Any]:
    return _frozen(np.concatenate([np.asarray(part, dtype) for part in parts]))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _read(path: str) -> bytes:
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.NotFoundError as error:
        raise ValueError(f"forest: {path} is missing; the folder does not hold a whole forest") from error
