"""What can be learnt from the feed: trees get close to what the columns can tell, a linear model does not."""

import numpy as np
import pyarrow as pa
import pytest
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import QuantileTransformer

from datasets.synthetic.vocabulary import OBJECTIVES
from pipeline_config import FEED
from tests.datasets.synthetic.conftest import DAYS, ROWS, Feed

TRAIN = (DAYS - 1) * ROWS


@pytest.fixture(scope="module")
def numeric(feed: Feed) -> NDArray[np.float32]:
    # The truth is of the impression where it stood, so the models read the position, too.
    names = (*FEED.features.numeric_names, "position")
    return np.array([feed.log[name].cast(pa.float32()).to_numpy() for name in names]).T


@pytest.fixture(scope="module")
def one_hot(feed: Feed) -> NDArray[np.float32]:
    codes = [feed.log[f.name].combine_chunks().dictionary_encode().indices for f in FEED.features.categorical]
    return np.hstack([np.eye(max(code.to_pylist()) + 1, dtype=np.float32)[code.to_numpy()] for code in codes])


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["click", "long_dwell"])
def test_trees_approach_the_truth_and_a_linear_model_does_not(
    feed: Feed, numeric: NDArray[np.float32], one_hot: NDArray[np.float32], objective: str
) -> None:
    row = OBJECTIVES.index(objective)
    labels, truth = feed.labels[row], feed.averaged[row]
    features = np.hstack([numeric, one_hot])
    trees = xgb.train(
        {"objective": "binary:logistic", "max_depth": 4, "eta": 0.12, "min_child_weight": 20, "max_bin": 64, "seed": 1},
        xgb.QuantileDMatrix(features[:TRAIN], labels[:TRAIN], max_bin=64),
        num_boost_round=120,
    )
    scaled = QuantileTransformer(output_distribution="normal", random_state=0).fit_transform(numeric)
    linear = np.hstack([np.nan_to_num(scaled), np.isnan(numeric), one_hot])
    model = LogisticRegression(max_iter=40).fit(linear[:TRAIN], labels[:TRAIN])

    best, by_trees, by_line = (
        roc_auc_score(labels[TRAIN:], scores)
        for scores in (truth[TRAIN:], trees.inplace_predict(features[TRAIN:]), model.decision_function(linear[TRAIN:]))
    )
    assert 0.7 < best < 0.9
    assert by_trees > best - 0.025
    assert by_line < by_trees - 0.005
