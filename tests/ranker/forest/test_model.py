"""The numbering of leaves, and a forest on disk."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from ranker.forest.model import ARRAYS_FILE, BOOSTER_FILE, DESCRIPTION_FILE, Forest
from tests.ranker.forest.boosters import grow, leaves_by_xgboost, random_features

ARRAYS = (
    *("split_feature", "split_threshold", "split_default_left", "split_left", "first_leaf"),
    *("leaf_node", "leaf_value", "leaf_cover", "tree_output", "tree_rate", "base_margin"),
)


@pytest.fixture(scope="module")
def forest() -> Forest:
    rng = np.random.default_rng(1)
    return grow(random_features(rng, 1000, 6), 2, 5, rng, max_depth=4)


def test_leaves_are_numbered_contiguously_tree_by_tree(forest: Forest) -> None:
    per_tree = [tree.count("leaf=") for tree in forest.booster.get_dump()]
    assert np.diff(forest.first_leaf).tolist() == per_tree
    assert (forest.trees, forest.leaves) == (10, sum(per_tree))
    found = leaves_by_xgboost(forest, random_features(np.random.default_rng(2), 20_000, 6))
    assert (found >= forest.first_leaf[:-1]).all()
    assert (found < forest.first_leaf[1:]).all()
    assert len(np.unique(found)) > 0.9 * forest.leaves


def test_leaves_run_from_left_to_right() -> None:
    features = np.arange(64, dtype=np.float32)[:, None]
    labels = np.random.default_rng(0).integers(0, 2, 64)
    booster = xgb.train({"max_depth": 3, "min_child_weight": 0}, xgb.DMatrix(features, labels), 1)
    leaves = leaves_by_xgboost(Forest.from_booster(booster, ["x"]), features)[:, 0].astype(int)
    assert leaves[0] == 0
    assert set(np.diff(leaves)) == {0, 1}


def test_splits_name_the_leaves_under_their_left_child(forest: Forest) -> None:
    tree = forest.booster.trees_to_dataframe()
    first = tree[tree.Tree == 0].set_index("ID")
    number = {node: i for i, node in enumerate(forest.leaf_node[: forest.first_leaf[1]].tolist())}

    def under(node: str) -> list[int]:
        if first.loc[node, "Feature"] == "Leaf":
            return [number[first.loc[node, "Node"]]]
        return under(first.loc[node, "Yes"]) + under(first.loc[node, "No"])

    begin, end = forest.split_left[0]
    assert under(first.loc["0-0", "Yes"]) == list(range(begin, end))
    assert forest.split_threshold[0] == np.float32(first.loc["0-0", "Split"])
    assert forest.split_default_left[0] == (first.loc["0-0", "Missing"] == first.loc["0-0", "Yes"])


OBJECTIVES = (
    *("binary:logistic", "reg:squarederror", "reg:logistic", "binary:logitraw", "binary:hinge", "count:poisson"),
    *("reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:gamma", "reg:tweedie", "survival:cox"),
)
SUPPORTED = ("binary:logistic", "reg:squarederror")


@pytest.mark.parametrize("objective", SUPPORTED)
@pytest.mark.parametrize("parameters", [{}, {"base_score": 0.2}, {"num_parallel_tree": 3}, {"base_score": 1e-9}])
def test_margins_are_what_xgboost_predicts(objective: str, parameters: dict[str, float]) -> None:
    rng = np.random.default_rng(4)
    forest = grow(random_features(rng, 1000, 6), 3, 4, rng, max_depth=3, objective=objective, **parameters)
    features = random_features(rng, 200, 6)
    expected = forest.booster.predict(xgb.DMatrix(features), output_margin=True)
    np.testing.assert_allclose(forest.margins(leaves_by_xgboost(forest, features)), expected, atol=2e-6)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_margins_of_labels_without_a_second_class_are_what_xgboost_predicts(label: float) -> None:
    """XGBoost stores the base score 0 or 1, whose log-odds are infinite."""
    features = random_features(np.random.default_rng(5), 100, 3)
    booster = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(features, np.full(100, label)), 2)
    forest = Forest.from_booster(booster, ["a", "b", "c"])
    expected = booster.predict(xgb.DMatrix(features), output_margin=True)
    np.testing.assert_allclose(forest.margins(leaves_by_xgboost(forest, features))[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("objective", sorted({*OBJECTIVES} - {*SUPPORTED}))
def test_other_objectives_are_refused(objective: str) -> None:
    """Their base score is stored in another form: reg:logistic was wrong by the log-odds of the base rate."""
    features = random_features(np.random.default_rng(6), 200, 3)
    labels = 1.0 + (np.nan_to_num(features[:, 0]) > 0) * (objective in ("reg:gamma", "survival:cox"))
    if objective.startswith("binary:") or objective == "reg:logistic":
        labels = (np.nan_to_num(features[:, 0]) > 0).astype(np.float64)
    booster = xgb.train({"objective": objective}, xgb.DMatrix(features, labels), 2)
    with pytest.raises(ValueError, match=f"objective {objective} are not supported.*binary:logistic"):
        Forest.from_booster(booster, ["a", "b", "c"])


def test_several_classes_are_refused() -> None:
    features = random_features(np.random.default_rng(7), 200, 3)
    matrix = xgb.DMatrix(features, np.arange(200) % 3)
    booster = xgb.train({"objective": "multi:softprob", "num_class": 3}, matrix, 2)
    with pytest.raises(ValueError, match="multi:softprob are not supported"):
        Forest.from_booster(booster, ["a", "b", "c"])


def test_names_in_another_order_than_the_boosters_are_refused() -> None:
    features = random_features(np.random.default_rng(8), 200, 2)
    matrix = xgb.DMatrix(features, np.arange(200) % 2, feature_names=["b", "a"])
    booster = xgb.train({"objective": "binary:logistic"}, matrix, 1)
    assert Forest.from_booster(booster, ["b", "a"]).feature_names == ("b", "a")
    with pytest.raises(ValueError, match=r"features are \['b', 'a'\], in this order, but the names are \['a', 'b'\]"):
        Forest.from_booster(booster, ["a", "b"])


def test_the_cover_is_the_sum_of_the_rows_hessians() -> None:
    """With squared loss, each row has a hessian of 1."""
    rng = np.random.default_rng(5)
    features = random_features(rng, 1000, 6)
    forest = grow(features, 1, 3, rng, max_depth=3, objective="reg:squarederror")
    rows = np.bincount(leaves_by_xgboost(forest, features).ravel().astype(int), minlength=forest.leaves)
    np.testing.assert_array_equal(forest.leaf_cover, rows)


def test_saved_and_loaded_is_the_same(forest: Forest, tmp_path: Path) -> None:
    forest.save(str(tmp_path))
    loaded = Forest.load(str(tmp_path))
    assert loaded.fingerprint == forest.fingerprint
    assert loaded.feature_names == forest.feature_names
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(forest, name))
        assert getattr(loaded, name).dtype == getattr(forest, name).dtype
    features = xgb.DMatrix(random_features(np.random.default_rng(3), 100, 6))
    np.testing.assert_array_equal(loaded.booster.predict(features), forest.booster.predict(features))
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([BOOSTER_FILE, ARRAYS_FILE, DESCRIPTION_FILE])


def test_a_forest_of_an_earlier_version_does_not_know_its_learning_rates(
    forest: Forest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = replace(forest, tree_rate=np.full(forest.trees, 0.3))
    with monkeypatch.context() as earlier:
        earlier.setattr("ranker.forest.model._ARRAYS", tuple(name for name in ARRAYS if name != "tree_rate"))
        grown.save(str(tmp_path))
    assert np.isnan(Forest.load(str(tmp_path)).tree_rate).all()
    grown.save(str(tmp_path))
    assert Forest.load(str(tmp_path)).tree_rate.tolist() == [0.3] * forest.trees


def test_numbering_again_gives_the_same(forest: Forest) -> None:
    again = Forest.from_booster(xgb.Booster(model_file=bytearray(forest.ubj)), forest.feature_names)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(again, name), getattr(forest, name))
    assert again.fingerprint == forest.fingerprint


def test_another_forest_has_another_fingerprint(forest: Forest) -> None:
    rng = np.random.default_rng(9)
    assert grow(random_features(rng, 1000, 6), 2, 5, rng, max_depth=4).fingerprint != forest.fingerprint


def test_a_forest_can_be_sent_to_another_process(forest: Forest) -> None:
    assert pickle.loads(pickle.dumps(forest)).fingerprint == forest.fingerprint


def test_arrays_cannot_be_changed(forest: Forest) -> None:
    with pytest.raises(ValueError, match="read-only"):
        forest.first_leaf[0] = 1


@pytest.mark.parametrize("name", [BOOSTER_FILE, ARRAYS_FILE, DESCRIPTION_FILE])
def test_a_missing_file_is_named(forest: Forest, tmp_path: Path, name: str) -> None:
    forest.save(str(tmp_path))
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=f"{name} is missing"):
        Forest.load(str(tmp_path))


@pytest.mark.parametrize("name", [BOOSTER_FILE, ARRAYS_FILE])
def test_a_damaged_file_is_named(forest: Forest, tmp_path: Path, name: str) -> None:
    forest.save(str(tmp_path))
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} has digest .* damaged"):
        Forest.load(str(tmp_path))


def test_a_description_of_something_else_is_refused(forest: Forest, tmp_path: Path) -> None:
    forest.save(str(tmp_path))
    path = tmp_path / DESCRIPTION_FILE
    description = json.loads(path.read_text())
    path.write_text(json.dumps({**description, "format": 99}))
    with pytest.raises(ValueError, match="has format 99"):
        Forest.load(str(tmp_path))
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a forest's description"):
        Forest.load(str(tmp_path))


def test_boosters_that_are_no_plain_forest_are_refused() -> None:
    rng = np.random.default_rng(0)
    features, labels = random_features(rng, 200, 3), rng.integers(0, 2, (200, 2))
    matrix = xgb.DMatrix(features, labels)
    vectors = xgb.train({"multi_strategy": "multi_output_tree", "max_depth": 2}, matrix, 1)
    with pytest.raises(ValueError, match="one tree per objective"):
        Forest.from_booster(vectors, ["a", "b", "c"])
    dart = xgb.train({"booster": "dart", "max_depth": 2}, xgb.DMatrix(features, labels[:, 0]), 1)
    with pytest.raises(ValueError, match="gbtree, got dart"):
        Forest.from_booster(dart, ["a", "b", "c"])
    linear = xgb.train({"booster": "gblinear"}, xgb.DMatrix(np.nan_to_num(features), labels[:, 0]), 1)
    with pytest.raises(ValueError, match="gbtree, got gblinear"):
        Forest.from_booster(linear, ["a", "b", "c"])
    categories = xgb.DMatrix(rng.integers(0, 5, (200, 1)), labels[:, 0], feature_types=["c"], enable_categorical=True)
    with pytest.raises(ValueError, match="categorical splits"):
        Forest.from_booster(xgb.train({"max_depth": 2, "min_child_weight": 0}, categories, 1), ["a"])


def test_names_must_fit_the_booster(forest: Forest) -> None:
    with pytest.raises(ValueError, match="has 6 features, but 2 names"):
        Forest.from_booster(forest.booster, ["a", "b"])
