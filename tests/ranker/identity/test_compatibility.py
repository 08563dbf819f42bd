"""Which changes a warm start allows."""

from dataclasses import replace

import pytest

from pipeline_config import FEED
from ranker.config.columns import History, Keys
from ranker.config.examination import Examination
from ranker.config.exploration import Exploration
from ranker.config.forest import Forest
from ranker.config.gates import Gate, Gates
from ranker.config.pipeline import PipelineConfig
from ranker.config.retraining import Retraining
from ranker.config.rows import Rows
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.identity.code import PROJECT_ROOT, import_closure
from ranker.identity.compatibility import warm_start_parts

SCHEMA = "feature { name: 'a' }"


def changed(config: PipelineConfig, schema: str = SCHEMA) -> set[str]:
    before, after = warm_start_parts(FEED, SCHEMA), warm_start_parts(config, schema)
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (replace(FEED, forest=Forest(trees=12)), "forest"),
        (replace(FEED, towers=Towers(hidden=(32,))), "towers"),
        (replace(FEED, keys=Keys(viewer="member")), "keys"),
        (replace(FEED, exploration=Exploration(), examination=Examination(by=("device",))), "examination"),
        (replace(FEED, features=replace(FEED.features, numeric=FEED.features.numeric[:-1])), "features"),
        (replace(FEED, objectives=FEED.objectives[::-1]), "objectives"),
        (replace(FEED, objectives=(replace(FEED.objectives[0], tower="active"), *FEED.objectives[1:])), "objectives"),
    ],
)
def test_changes_to_features_leaves_or_weights_are_named(config: PipelineConfig, part: str) -> None:
    assert changed(config) == {part}


def test_the_column_of_an_objective_is_part_of_its_meaning() -> None:
    first, *others = FEED.objectives
    assert changed(replace(FEED, objectives=(replace(first, column="Bestellt?"), *others))) == {"objectives"}
    assert changed(replace(FEED, objectives=(replace(first, column=first.name), *others))) == set()


def test_the_conditions_on_rows_matter_to_histories_alone() -> None:
    people = Rows(where=[("is_bot", "==", False)])
    assert changed(replace(FEED, rows=people)) == set()
    history = History("authors", of="author_id", actions=(FEED.objective_names[0],))
    of_all = replace(FEED, features=replace(FEED.features, history=(history,)))
    before = warm_start_parts(of_all, SCHEMA)
    after = warm_start_parts(replace(of_all, rows=people), SCHEMA)
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == {"rows.where"}


def test_another_schema_is_named() -> None:
    assert changed(FEED, "feature { name: 'b' }") == {"schema"}


def test_the_code_of_transform_includes_the_kinds_of_columns() -> None:
    closure = import_closure("ranker.features.preprocessing")
    for name in ("numeric", "categorical", "multi_valued", "dense", "standardising"):
        assert PROJECT_ROOT / "ranker" / "features" / f"{name}.py" in closure


def test_converting_a_log_needs_none_of_transform() -> None:
    closure = import_closure("components.feed_log_gen.executor")
    assert PROJECT_ROOT / "ranker" / "features" / "numeric.py" in closure
    for name in ("standardising", "preprocessing", "transform"):
        assert PROJECT_ROOT / "ranker" / "features" / f"{name}.py" not in closure


@pytest.mark.parametrize(
    "config",
    [
        replace(FEED, gates=Gates(objective=Gate(min_auc=0.9))),
        replace(FEED, training=Training(learning_rate=1e-4)),
        replace(FEED, retraining=Retraining(refit_forest_days=30)),
        replace(FEED, objectives=(replace(FEED.objectives[0], utility_weight=9.0), *FEED.objectives[1:])),
        replace(FEED, slices=()),
        replace(FEED, train_days=3),
    ],
)
def test_other_changes_are_compatible(config: PipelineConfig) -> None:
    assert changed(config) == set()
