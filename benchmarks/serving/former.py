"""LinkedIn's former setup as the source describes it: each objective has its own forest and logistic regression.

A logistic regression reads the leaves of the objective's forest as one-hot features, together with the features that
bypass the forest. It is implemented with the libraries' own calls and again written for speed. XGBoost alone, one model
per objective, is here too.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from ranker.forest.model import Forest

Floats = NDArray[np.float32]

_ITERATIONS = 30  # of the regression's fit; the cost of scoring does not depend on them


class FormerObjective(Protocol):
    """One objective's forest and logistic regression."""

    def score(self, matrix: xgb.DMatrix, dense: Floats) -> Floats:
        """Probabilities [rows] from the forest's features and those that bypass it."""


class RecipeObjective:
    """XGBoost's leaves, scikit-learn's OneHotEncoder, scikit-learn's LogisticRegression.

    Args:
        forest: of this objective only.
        features, dense, labels: rows to fit the encoder and the regression on.
        threads: number of XGBoost's threads.
    """

    def __init__(self, forest: Forest, features: Floats, dense: Floats, labels: NDArray[Any], threads: int) -> None:
        self._booster = forest.booster
        self._booster.set_param({"nthread": threads})
        nodes = self._booster.predict(xgb.DMatrix(features, nthread=threads), pred_leaf=True)
        self._encoder = OneHotEncoder(handle_unknown="ignore", dtype=np.float32).fit(nodes)
        self._regression = LogisticRegression(max_iter=_ITERATIONS).fit(self._columns(nodes, dense), labels)

    def score(self, matrix: xgb.DMatrix, dense: Floats) -> Floats:
        """See `FormerObjective`."""
        nodes = self._booster.predict(matrix, pred_leaf=True)
        return self._regression.predict_proba(self._columns(nodes, dense))[:, 1]

    def _columns(self, nodes: Floats, dense: Floats) -> Any:
        return sparse.hstack([self._encoder.transform(nodes), sparse.csr_matrix(dense)], format="csr")


class TunedObjective:
    """The same with contiguous leaf ids, and a sum of weights instead of a product with one-hot vectors.

    Args:
        forest: of this objective only.
        weights: float32 [leaves], of the one-hot leaves.
        dense_weights: float32 [dense], of the features that bypass the forest.
        bias: of the regression.
        threads: number of XGBoost's threads.
    """

    def __init__(self, forest: Forest, weights: Floats, dense_weights: Floats, bias: float, threads: int) -> None:
        self._forest = forest
        self._booster = forest.booster
        self._booster.set_param({"nthread": threads})
        self._weights, self._dense_weights, self._bias = weights, dense_weights, bias
        numbers = [
            np.arange(begin, end) for begin, end in zip(forest.first_leaf[:-1], forest.first_leaf[1:], strict=True)
        ]
        widest = int(forest.leaf_node.max()) + 1
        self._leaf_of_node = np.zeros((forest.trees, widest), np.int32)
        for tree, leaves in enumerate(numbers):
            self._leaf_of_node[tree, forest.leaf_node[leaves]] = leaves

    def score(self, matrix: xgb.DMatrix, dense: Floats) -> Floats:
        """See `FormerObjective`."""
        nodes = self._booster.predict(matrix, pred_leaf=True).astype(np.int32)
        rows, trees = nodes.shape
        leaves = self._leaf_of_node[np.arange(trees), nodes]
        one_hot = sparse.csr_matrix(
            (np.ones(leaves.size, np.float32), leaves.reshape(-1), np.arange(0, leaves.size + 1, trees)),
            shape=(rows, len(self._weights)),
        )
        return expit(one_hot @ self._weights + dense @ self._dense_weights + self._bias)


class FormerSetup:
    """All objectives, one after the other, on one matrix of features."""

    def __init__(self, objectives: Sequence[FormerObjective]) -> None:
        self._objectives = tuple(objectives)

    def score(self, features: Floats, dense: Floats, threads: int) -> list[Floats]:
        """Probabilities [rows] of each objective."""
        matrix = xgb.DMatrix(features, nthread=threads)
        return [objective.score(matrix, dense) for objective in self._objectives]


class XgboostAlone:
    """One XGBoost model per objective, and nothing else.

    Args:
        boosters: one per objective.
        threads: number of XGBoost's threads.
    """

    def __init__(self, boosters: Sequence[xgb.Booster], threads: int) -> None:
        self._boosters = tuple(boosters)
        for booster in self._boosters:
            booster.set_param({"nthread": threads})

    def score(self, features: Floats) -> list[NDArray[Any]]:
        """Probabilities [rows] of each objective."""
        return [booster.inplace_predict(features) for booster in self._boosters]
